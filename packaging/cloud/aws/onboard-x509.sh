#!/usr/bin/env bash
# Gives one gateway a certificate of AWS IoT, by which it publishes to an SNS topic, and prints the integration for its
# configuration. Role, alias and certificate policy are made when they are not there yet, so the second gateway takes
# a minute. No access key is made, and none is needed on the gateway.
#
#   onboard-x509.sh --topic-arn arn:aws:sns:us-east-2:123456789012:MainSolarData --thing noi-42
#
#   --topic-arn ARN   the topic; it is not made here
#   --thing NAME      the gateway's name: letters, digits and :_-
#   --alias NAME      role alias (noi-publisher-TOPIC, as noi-topic.cloudformation.yaml makes it)
#   --policy NAME     IoT policy of the certificates (noi-certificate-TOPIC)
#   --out DIR         where certificate and key go (./THING)
#   --name NAME       the integration's name (main-solar)
set -euo pipefail

fail() { echo "onboard-x509.sh: $*" >&2; exit 2; }
say() { echo "$*" >&2; }

topic='' thing='' alias='' policy='' out='' name=main-solar
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || fail "$1 needs a value"
	case $1 in
	--topic-arn) topic=$2 ;;
	--thing) thing=$2 ;;
	--alias) alias=$2 ;;
	--policy) policy=$2 ;;
	--out) out=$2 ;;
	--name) name=$2 ;;
	*) fail "unknown: $1 (the head of this file says what there is)" ;;
	esac
	shift 2
done
[[ $topic =~ ^arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]+(\.fifo)?)$ ]] || fail "--topic-arn: want arn:aws:sns:REGION:ACCOUNT:NAME"
partition=${BASH_REMATCH[1]} region=${BASH_REMATCH[2]} account=${BASH_REMATCH[3]} label=${BASH_REMATCH[4]%.fifo}
[[ $thing =~ ^[A-Za-z0-9:_-]{1,128}$ ]] || fail "--thing: want letters, digits and :_-"
alias=${alias:-noi-publisher-$label} policy=${policy:-noi-certificate-$label} out=${out:-./$thing}
[ ! -e "$out/device.key" ] || fail "$out/device.key is there already: this gateway has a certificate. Name another --out for a new one"
export AWS_DEFAULT_REGION=$region AWS_PAGER=''

if ! aws iot describe-role-alias --role-alias "$alias" >/dev/null 2>&1; then
	[ ${#alias} -le 64 ] || fail "--alias: want a shorter name than $alias: it is a role's too, which has 64 characters at most"
	say "role $alias, which may publish to the topic and do nothing else"
	trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"credentials.iot.amazonaws.com"}}]}'
	right="{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"NoiPublish\",\"Effect\":\"Allow\",\"Action\":\"sns:Publish\",\"Resource\":\"$topic\"}]}"
	aws iam get-role --role-name "$alias" >/dev/null 2>&1 || aws iam create-role --role-name "$alias" --assume-role-policy-document "$trust" >/dev/null
	aws iam put-role-policy --role-name "$alias" --policy-name noi-publish --policy-document "$right"
	aws iot create-role-alias --role-alias "$alias" --credential-duration-seconds 3600 \
		--role-arn "arn:$partition:iam::$account:role/$alias" >/dev/null
fi
if ! aws iot get-policy --policy-name "$policy" >/dev/null 2>&1; then
	say "policy $policy, by which a certificate has these credentials and nothing else of AWS IoT"
	aws iot create-policy --policy-name "$policy" --policy-document \
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"iot:AssumeRoleWithCertificate\",\"Resource\":\"arn:$partition:iot:$region:$account:rolealias/$alias\"}]}" >/dev/null
fi

say "thing $thing and its certificate, in $out"
umask 077
mkdir -p "$out"
aws iot create-thing --thing-name "$thing" >/dev/null
certificate=$(aws iot create-keys-and-certificate --set-as-active --query certificateArn --output text \
	--certificate-pem-outfile "$out/device.pem" --private-key-outfile "$out/device.key")
aws iot attach-policy --policy-name "$policy" --target "$certificate"
aws iot attach-thing-principal --thing-name "$thing" --principal "$certificate"
endpoint=$(aws iot describe-endpoint --endpoint-type iot:CredentialProvider --query endpointAddress --output text)

say "on the gateway: sudo install -o noi-agent -g noi-agent -m 0400 device.pem device.key /etc/noi-agent/"
say "then this for /etc/noi-agent/config.yaml, and: noi-agent check && noi-agent publish-test $name"
cat <<EOF
integrations:
  - name: $name
    type: aws
    topic_arn: $topic
    iot:
      endpoint: $endpoint
      role_alias: $alias
      certificate: /etc/noi-agent/device.pem
      key: /etc/noi-agent/device.key
      thing: "$thing"
EOF
