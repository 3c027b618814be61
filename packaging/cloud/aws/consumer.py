"""Takes samples of NOI gateways from the SQS queue that is subscribed to their SNS topic.

Put what is to be done with a sample into keep(). A record that fails is delivered again, and goes to the
dead-letter queue after five times; the others of its batch are done with (ReportBatchItemFailures).
Delivery is at least once: the same sample may come again. (device_id, slave, object, sampled_at) tells it.
"""
import json
import sys

KEYS = ("published_at", "device_id", "data", "integration_id", "sampled_at",
        "object", "slave", "cc_firmware", "fw_version")


def keep(sample):
    """Prints one line of JSON, which CloudWatch Logs keeps."""
    print(json.dumps(sample, separators=(",", ":"), ensure_ascii=False))


def parse(record):
    """Returns the sample of an SQS record, whether the subscription delivers raw or in SNS's envelope."""
    message = json.loads(record["body"])
    if message.get("Type") == "Notification":
        message = json.loads(message["Message"])
    missing = [key for key in KEYS if key not in message]
    if missing:
        raise ValueError("no sample: without " + ", ".join(missing))
    return message


def flat(sample):
    """Adds a column for each kind of data: value (number), state (text), bits (list of text)."""
    data = sample["data"]
    kind = "state" if isinstance(data, str) else "bits" if isinstance(data, list) else "value"
    return {**sample, kind: data}


def handler(event, context=None):
    failures = []
    for record in event["Records"]:
        try:
            sample = parse(record)
            if sample["object"] != "noi_test":  # what publish-test sends
                keep(flat(sample))
        except Exception as fault:  # whatever it is, the others go on
            print("record %s: %s" % (record.get("messageId"), fault), file=sys.stderr)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
