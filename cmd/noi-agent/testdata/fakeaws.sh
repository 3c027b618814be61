#!/usr/bin/env bash
# Stands for the aws command line, with a memory in $FAKE_STATE: IAM is global, IoT is of $AWS_DEFAULT_REGION.
# Call number $FAKE_FAIL fails before it has done its work, as a connection that breaks; with $FAKE_FAIL=lost the answer of
# create-keys-and-certificate is lost, which is the one answer that cannot be had again.
# It starts no other program and no subshell, as a test calls it many hundred times.
set -euo pipefail
calls=$FAKE_STATE/calls n=0
[ ! -e "$calls" ] || read -r n < "$calls"
n=$((n + 1))
echo $n > "$calls"
broken() { echo "Could not connect to the endpoint URL" >&2; exit 255; }
[ "$n" != "$FAKE_FAIL" ] || broken

iam=$FAKE_STATE/iam iot=$FAKE_STATE/iot/$AWS_DEFAULT_REGION
[ -d "$iot/cert" ] || mkdir -p "$iam/role" "$iam/right" "$iot/alias" "$iot/policy" "$iot/thing" "$iot/cert"
service=$1 verb=$2 status=INACTIVE
shift 2
declare -A o
while [ $# -gt 0 ]; do
	case $1 in
	--set-as-active) status=ACTIVE; shift ;;
	*) o[$1]=$2; shift 2 ;;
	esac
done
show() { # FILE ERROR
	[ -e "$1" ] || { echo "An error occurred ($2) when calling $verb: there is none" >&2; exit 254; }
	printf '%s\n' "$(<"$1")"
}
make() { # FILE TEXT, which is new
	[ ! -e "$1" ] || { echo "An error occurred (ResourceAlreadyExistsException) when calling $verb" >&2; exit 254; }
	printf '%s' "$2" > "$1"
}
case "$service $verb" in
"iam get-role") show "$iam/role/${o[--role-name]}" NoSuchEntity ;;
"iam create-role") make "$iam/role/${o[--role-name]}" "arn:aws:iam::393221637266:role/${o[--role-name]}" ;;
"iam get-role-policy") show "$iam/right/${o[--role-name]}" NoSuchEntity ;;
"iam put-role-policy")
	show "$iam/role/${o[--role-name]}" NoSuchEntity > /dev/null
	printf '%s' "${o[--policy-document]}" > "$iam/right/${o[--role-name]}"
	;;
"iot describe-role-alias") show "$iot/alias/${o[--role-alias]}" ResourceNotFoundException ;;
"iot create-role-alias") make "$iot/alias/${o[--role-alias]}" "${o[--role-arn]}" ;;
"iot update-role-alias") printf '%s' "${o[--role-arn]}" > "$iot/alias/${o[--role-alias]}" ;;
"iot get-policy") show "$iot/policy/${o[--policy-name]}" ResourceNotFoundException ;;
"iot create-policy") make "$iot/policy/${o[--policy-name]}" "${o[--policy-document]}" ;;
"iot describe-endpoint") echo "c2x3.credentials.iot.$AWS_DEFAULT_REGION.amazonaws.com" ;;
"iot create-thing") : > "$iot/thing/${o[--thing-name]}" ;;
"iot create-keys-and-certificate")
	id=cert$n.$RANDOM$RANDOM
	mkdir "$iot/cert/$id"
	echo $status > "$iot/cert/$id/status"
	[ "$FAKE_FAIL" != lost ] || broken
	echo "$id" > "${o[--certificate-pem-outfile]}"
	echo "$id" > "${o[--private-key-outfile]}"
	echo "arn:aws:iot:$AWS_DEFAULT_REGION:393221637266:cert/$id"
	;;
"iot attach-policy") echo "${o[--policy-name]}" > "$iot/cert/${o[--target]##*/}/policy" ;;
"iot attach-thing-principal") echo "${o[--thing-name]}" > "$iot/cert/${o[--principal]##*/}/thing" ;;
"iot update-certificate") echo "${o[--new-status]}" > "$iot/cert/${o[--certificate-id]}/status" ;;
*) echo "fake aws: $service $verb is not known" >&2; exit 252 ;;
esac
