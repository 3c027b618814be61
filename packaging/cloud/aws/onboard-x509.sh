#!/usr/bin/env bash
# Gives one gateway a certificate of AWS IoT, by which it publishes to an SNS topic, and prints the integration for its
# configuration. Role, alias and certificate policy are made when they are not there yet, so the second gateway takes
# a minute. No access key is made, and none is needed on the gateway.
#
# When a step fails, run the same command again: it goes on where it stopped. The certificate becomes active in the last step.
#
#   onboard-x509.sh --topic-arn arn:aws:sns:us-east-2:123456789012:MainSolarData --thing noi-42
#
#   --topic-arn ARN   the topic; it is not made here
#   --thing NAME      the gateway's name: letters, digits and :_-
#   --alias NAME      role alias (noi-publisher-TOPIC, as noi-topic.cloudformation.yaml makes it)
#   --role NAME       role behind the alias (noi-publisher-TOPIC-REGION: an alias is of one region, a role of all)
#   --policy NAME     IoT policy of the certificates (noi-certificate-TOPIC)
#   --out DIR         where certificate and key go (./THING)
#   --name NAME       the integration's name (main-solar)
#
# TOPIC is the topic's name, with @fifo in place of .fifo.
set -euo pipefail

fail() { echo "onboard-x509.sh: $*" >&2; exit 2; }
say() { echo "$*" >&2; }

topic='' thing='' alias='' role='' policy='' out='' name=main-solar
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || fail "$1 needs a value"
	case $1 in
	--topic-arn) topic=$2 ;;
	--thing) thing=$2 ;;
	--alias) alias=$2 ;;
	--role) role=$2 ;;
	--policy) policy=$2 ;;
	--out) out=$2 ;;
	--name) name=$2 ;;
	*) fail "unknown: $1 (the head of this file says what there is)" ;;
	esac
	shift 2
done
[[ $topic =~ ^arn:(aws[a-z-]*):sns:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]+(\.fifo)?)$ ]] || fail "--topic-arn: want arn:aws:sns:REGION:ACCOUNT:NAME"
partition=${BASH_REMATCH[1]} region=${BASH_REMATCH[2]} account=${BASH_REMATCH[3]} label=${BASH_REMATCH[4]}
case $label in *.fifo) label=${label%.fifo}@fifo ;; esac # no topic's name has an @, so T.fifo shares nothing with another topic
alias=${alias:-noi-publisher-$label} role=${role:-noi-publisher-$label-$region} policy=${policy:-noi-certificate-$label} out=${out:-./$thing}
[[ $thing =~ ^[A-Za-z0-9:_-]{1,128}$ ]] || fail "--thing: want 1 to 128 letters, digits and :_-"
[[ $alias =~ ^[A-Za-z0-9_=,@-]{1,128}$ ]] || fail "--alias: want 1 to 128 letters, digits and _=,@-, not $alias"
[[ $role =~ ^[A-Za-z0-9_+=,.@-]{1,64}$ ]] || fail "--role: want 1 to 64 letters, digits and _+=,.@-, not $role"
[[ $policy =~ ^[A-Za-z0-9_+=,.@-]{1,128}$ ]] || fail "--policy: want 1 to 128 letters, digits and _+=,.@-, not $policy"
[[ $name =~ ^[A-Za-z0-9._-]{1,64}$ && $name != all ]] || fail "--name: want 1 to 64 letters, digits and ._-, and not all"
case $out in -*) out=./$out ;; esac
[ ! -e "$out/device.key" ] || fail "$out/device.key is there already: this gateway has a certificate. Name another --out for a new one"
export AWS_DEFAULT_REGION=$region AWS_REGION=$region AWS_PAGER=''
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

# there COMMAND… prints the answer, nothing when there is no such thing, and ends the script when AWS cannot be asked.
there() {
	"$@" 2>"$errors" && return
	grep -qE 'ResourceNotFoundException|NoSuchEntity' "$errors" && return
	cat "$errors" >&2
	return 1
}

# right ROLE prints what this script has allowed the role to do.
right() { there aws iam get-role-policy --role-name "$1" --policy-name noi-publish --query PolicyDocument --output json; }

# other_topic ROLE is true when this script has allowed the role to publish to another topic.
other_topic() {
	local has
	has=$(right "$1") || exit 1
	[ -n "$has" ] && [[ $has != *"\"$topic\""* ]]
}

# make_role makes the role, or what is missing of it.
make_role() {
	local found
	other_topic "$role" && fail "role $role publishes to another topic: name another --role"
	say "role $role, which may publish to the topic and do nothing else"
	found=$(there aws iam get-role --role-name "$role" --query Role.Arn --output text)
	[ -n "$found" ] || aws iam create-role --role-name "$role" --assume-role-policy-document \
		'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"credentials.iot.amazonaws.com"}}]}' >/dev/null
	aws iam put-role-policy --role-name "$role" --policy-name noi-publish --policy-document \
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"NoiPublish\",\"Effect\":\"Allow\",\"Action\":\"sns:Publish\",\"Resource\":\"$topic\"}]}"
}

role_arn=arn:$partition:iam::$account:role/$role
current=$(there aws iot describe-role-alias --role-alias "$alias" --query roleAliasDescription.roleArn --output text)
case $current in
'')
	make_role
	aws iot create-role-alias --role-alias "$alias" --credential-duration-seconds 3600 --role-arn "$role_arn" >/dev/null
	;;
*/"$role") ;; # the role had its right before it had an alias
*/"$alias")   # of an earlier version of this script, whose role was that of all regions
	make_role
	aws iot update-role-alias --role-alias "$alias" --role-arn "$role_arn" >/dev/null
	;;
*) ! other_topic "${current##*/}" || fail "alias $alias stands for ${current##*/}, which publishes to another topic: name another --alias" ;;
esac

found=$(there aws iot get-policy --policy-name "$policy" --query policyArn --output text)
if [ -z "$found" ]; then
	say "policy $policy, by which a certificate has these credentials and nothing else of AWS IoT"
	aws iot create-policy --policy-name "$policy" --policy-document \
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"iot:AssumeRoleWithCertificate\",\"Resource\":\"arn:$partition:iot:$region:$account:rolealias/$alias\"}]}" >/dev/null
fi
endpoint=$(aws iot describe-endpoint --endpoint-type iot:CredentialProvider --query endpointAddress --output text)

say "thing $thing and its certificate, in $out"
umask 077
mkdir -p "$out"
aws iot create-thing --thing-name "$thing" >/dev/null
# The files are new.* until the certificate works. certificate.arn is written last: without it, new.* are of a certificate
# that never became active, and another one is made.
if [ ! -s "$out/certificate.arn" ]; then
	aws iot create-keys-and-certificate --query certificateArn --output text \
		--certificate-pem-outfile "$out/new.pem" --private-key-outfile "$out/new.key" > "$out/new.arn"
	mv "$out/new.arn" "$out/certificate.arn"
fi
certificate=$(cat "$out/certificate.arn")
aws iot attach-policy --policy-name "$policy" --target "$certificate"
aws iot attach-thing-principal --thing-name "$thing" --principal "$certificate"
aws iot update-certificate --certificate-id "${certificate##*/}" --new-status ACTIVE
[ ! -e "$out/new.pem" ] || mv "$out/new.pem" "$out/device.pem"
mv "$out/new.key" "$out/device.key"

say "on the gateway: sudo install -o noi-agent -g noi-agent -m 0400 device.pem device.key /etc/noi-agent/"
say "then this for /etc/noi-agent/config.yaml, and: noi-agent check && noi-agent publish-test $name"
cat <<EOF
integrations:
  - name: "$name"
    type: aws
    topic_arn: $topic
    iot:
      endpoint: $endpoint
      role_alias: "$alias"
      certificate: /etc/noi-agent/device.pem
      key: /etc/noi-agent/device.key
      thing: "$thing"
EOF
