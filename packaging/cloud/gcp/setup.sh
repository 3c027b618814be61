#!/usr/bin/env bash
# A Pub/Sub topic for NOI gateways, a publisher of least rights, and a BigQuery table that fills by itself. What is
# there already is left as it is. Prints the integration for the gateway's configuration.
#
#   setup.sh --project my-project                      # a service account and its key, gcp.json
#   setup.sh --project my-project --x509 ca.pem        # certificates of the authority ca.pem, and no key
#
#   --project ID      the project
#   --topic NAME      the topic (MainSolarData)
#   --x509 FILE       PEM of the authority that signs the gateways' certificates: workload identity in place of a key
#   --bigquery KIND   table (the default): a column for each key of the message, schema.json;
#                     raw: the message as one JSON column, with message id and attributes, and a view over it; none
#   --dataset NAME    BigQuery dataset (noi); --location L its place (US)
#   --out DIR         where the files for the gateway go (.)
set -euo pipefail

fail() { echo "setup.sh: $*" >&2; exit 2; }
say() { echo "$*" >&2; }
here=$(cd "$(dirname "$0")" && pwd)

project='' topic=MainSolarData ca='' kind=table dataset=noi location=US out=.
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || fail "$1 needs a value"
	case $1 in
	--project) project=$2 ;;
	--topic) topic=$2 ;;
	--x509) ca=$2 ;;
	--bigquery) kind=$2 ;;
	--dataset) dataset=$2 ;;
	--location) location=$2 ;;
	--out) out=$2 ;;
	*) fail "unknown: $1 (the head of this file says what there is)" ;;
	esac
	shift 2
done
[[ $project =~ ^[a-z][a-z0-9-]{4,29}$ ]] || fail "--project: want the id of a project"
[[ $topic =~ ^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$ ]] || fail "--topic: want 3 to 255 letters, digits and -._~+%, a letter first"
[[ $kind =~ ^(table|raw|none)$ ]] || fail "--bigquery: want table, raw or none"
[[ $dataset =~ ^[A-Za-z0-9_]+$ ]] || fail "--dataset: want letters, digits and _"
[ -z "$ca" ] || [ -r "$ca" ] || fail "--x509: $ca cannot be read"
account=noi-publisher@$project.iam.gserviceaccount.com
export CLOUDSDK_CORE_PROJECT=$project CLOUDSDK_CORE_DISABLE_PROMPTS=1
umask 077
mkdir -p "$out"

there() { "$@" >/dev/null 2>&1; }
publisher() { # WHO may publish to the topic, and do nothing else
	gcloud pubsub topics add-iam-policy-binding "$topic" --member "$1" --role roles/pubsub.publisher >/dev/null
}

say "topic $topic"
gcloud services enable pubsub.googleapis.com >/dev/null
there gcloud pubsub topics describe "$topic" || gcloud pubsub topics create "$topic" >/dev/null
number=$(gcloud projects describe "$project" --format 'value(projectNumber)')

with_key() {
	say "service account $account, and its key in $out/gcp.json"
	there gcloud iam service-accounts describe "$account" || gcloud iam service-accounts create noi-publisher --display-name 'NOI gateways' >/dev/null
	publisher "serviceAccount:$account"
	[ -e "$out/gcp.json" ] || gcloud iam service-accounts keys create "$out/gcp.json" --iam-account "$account" >/dev/null
	say "on the gateway: sudo install -o noi-agent -g noi-agent -m 0400 gcp.json /etc/noi-agent/"
}

with_x509() {
	local pool="projects/$number/locations/global/workloadIdentityPools/noi-gateways"
	say "pool noi-gateways, which trusts $ca"
	gcloud services enable iam.googleapis.com sts.googleapis.com >/dev/null
	{ printf 'trustStore:\n  trustAnchors:\n  - pemCertificate: |\n'; sed 's/^/      /' "$ca"; } > "$out/trust.yaml"
	there gcloud iam workload-identity-pools describe noi-gateways --location global ||
		gcloud iam workload-identity-pools create noi-gateways --location global >/dev/null
	there gcloud iam workload-identity-pools providers describe noi-x509 --workload-identity-pool noi-gateways --location global ||
		gcloud iam workload-identity-pools providers create-x509 noi-x509 --workload-identity-pool noi-gateways --location global \
			--trust-store-config-path "$out/trust.yaml" --attribute-mapping 'google.subject=assertion.subject.dn.cn' >/dev/null
	publisher "principalSet://iam.googleapis.com/$pool/*"
	gcloud iam workload-identity-pools create-cred-config "$pool/providers/noi-x509" \
		--credential-cert-path /etc/noi-agent/device.pem --credential-cert-private-key-path /etc/noi-agent/device.key \
		--credential-cert-configuration-output-file "$out/certificate_config.json" --output-file "$out/gcp.json" >/dev/null
	# Not sed -i: its argument is another one on macOS.
	sed 's|"certificate_config_location": *"[^"]*"|"certificate_config_location": "/etc/noi-agent/certificate_config.json"|' "$out/gcp.json" > "$out/gcp.json.new"
	mv "$out/gcp.json.new" "$out/gcp.json"
	say "on the gateway: sudo install -o noi-agent -g noi-agent -m 0400 gcp.json certificate_config.json device.pem device.key /etc/noi-agent/"
	say "device.pem and device.key are the gateway's own, signed by $ca, with a common name of its own"
}

# What cannot be written to the table is kept under $topic-dead, or it would be tried for ever unseen.
with_bigquery() {
	local agent="serviceAccount:service-$number@gcp-sa-pubsub.iam.gserviceaccount.com" table=samples schema=schema.json options=(--use-table-schema)
	local fields=(--time_partitioning_field sampled_at --time_partitioning_type DAY --clustering_fields "device_id,object")
	if [ "$kind" = raw ]; then
		table=messages schema=raw-schema.json options=(--write-metadata) fields=(--time_partitioning_field publish_time --time_partitioning_type DAY)
	fi
	say "BigQuery table $project:$dataset.$table, filled by subscription $topic-bigquery"
	gcloud services enable bigquery.googleapis.com >/dev/null
	there bq --project_id "$project" show --dataset "$project:$dataset" || bq --project_id "$project" --location "$location" mk --dataset "$project:$dataset" >/dev/null
	there bq --project_id "$project" show "$project:$dataset.$table" ||
		bq --project_id "$project" mk --table "${fields[@]}" "$project:$dataset.$table" "$here/$schema" >/dev/null
	[ "$kind" = table ] || there bq --project_id "$project" show "$project:$dataset.samples" || bq --project_id "$project" mk --use_legacy_sql=false --view "$(view)" "$project:$dataset.samples" >/dev/null
	there gcloud beta services identity create --service pubsub.googleapis.com || true # Pub/Sub's own account, which writes; made by itself later
	bq --project_id "$project" add-iam-policy-binding --table=true --member "$agent" --role roles/bigquery.dataEditor "$project:$dataset.$table" >/dev/null
	there gcloud pubsub topics describe "$topic-dead" || gcloud pubsub topics create "$topic-dead" >/dev/null
	there gcloud pubsub subscriptions describe "$topic-dead" || gcloud pubsub subscriptions create "$topic-dead" --topic "$topic-dead" --expiration-period never >/dev/null
	gcloud pubsub topics add-iam-policy-binding "$topic-dead" --member "$agent" --role roles/pubsub.publisher >/dev/null
	there gcloud pubsub subscriptions describe "$topic-bigquery" ||
		gcloud pubsub subscriptions create "$topic-bigquery" --topic "$topic" --bigquery-table "$project:$dataset.$table" "${options[@]}" \
			--expiration-period never --dead-letter-topic "$topic-dead" --max-delivery-attempts 5 >/dev/null
	gcloud pubsub subscriptions add-iam-policy-binding "$topic-bigquery" --member "$agent" --role roles/pubsub.subscriber >/dev/null
	say "to see samples: bq query --use_legacy_sql=false 'SELECT sampled_at, slave, object, data FROM \`$project.$dataset.samples\` ORDER BY sampled_at DESC LIMIT 20'"
}

view() { # the columns of schema.json, out of one JSON column
	cat <<EOF
SELECT TIMESTAMP(JSON_VALUE(data.published_at)) AS published_at, JSON_VALUE(data.device_id) AS device_id, data.data AS data,
  JSON_VALUE(data.integration_id) AS integration_id, TIMESTAMP(JSON_VALUE(data.sampled_at)) AS sampled_at, JSON_VALUE(data.object) AS object,
  JSON_VALUE(data.slave) AS slave, JSON_VALUE(data.cc_firmware) AS cc_firmware, JSON_VALUE(data.fw_version) AS fw_version,
  message_id, publish_time, attributes
FROM \`$project.$dataset.messages\`
EOF
}

if [ -n "$ca" ]; then with_x509; else with_key; fi
[ "$kind" = none ] || with_bigquery
say "then this for /etc/noi-agent/config.yaml, and: noi-agent check && noi-agent publish-test main-solar"
cat <<EOF
integrations:
  - name: main-solar
    type: gcp
    topic: projects/$project/topics/$topic
    credentials_file: /etc/noi-agent/gcp.json
EOF
