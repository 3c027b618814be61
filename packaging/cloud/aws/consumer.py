"""Takes samples of NOI gateways from the SQS queue that is subscribed to their SNS topic.

Put what is to be done with a sample into keep(). A record that fails is delivered again, and goes to the
dead-letter queue after five times; the others of its batch are done with (ReportBatchItemFailures).
Delivery is at least once: the same sample may come again. It then has the same device_id, slave, object
and sampled_at.
"""
import base64
import datetime
import gzip
import json
import sys

KEYS = ("published_at", "device_id", "data", "integration_id", "sampled_at",
        "object", "slave", "cc_firmware", "fw_version")


def keep(sample):
    """Prints one line of JSON, which CloudWatch Logs keeps."""
    print(json.dumps(sample, separators=(",", ":"), ensure_ascii=False))


def parse(record):
    """Returns the samples of an SQS record, whether the subscription delivers raw or in SNS's envelope."""
    text = record["body"]
    if text.startswith("{") and json.loads(text).get("Type") == "Notification":
        text = json.loads(text)["Message"]
    if text.startswith("H4sI"):  # compress: gzip
        text = gzip.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    message = json.loads(text)
    if isinstance(message, list):  # envelope: batch
        return unpack(*message)
    if "gap" in message:  # gaps: true; what is missing, and why
        return []
    missing = [key for key in KEYS if key not in message]
    if missing:
        raise ValueError("no sample: without " + ", ".join(missing))
    return [message]


def unpack(head, *rows):
    """Returns the samples of a batch, each as it is alone."""
    if head["batch"] != 1:
        raise ValueError("a batch of a later layout")
    first = datetime.datetime.strptime(head["sampled_at"], "%Y-%m-%dT%H:%M:%SZ")
    samples = []
    for name, data, *more in rows:
        at = first + datetime.timedelta(seconds=more[0] if more else 0)
        of = {**head, "object": name, "data": data, "sampled_at": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        samples.append({key: of[key] for key in KEYS})
    return samples


def flat(sample):
    """Adds a column for each kind of data: value (number), state (text), bits (list of text)."""
    data = sample["data"]
    kind = "state" if isinstance(data, str) else "bits" if isinstance(data, list) else "value"
    return {**sample, kind: data}


def handler(event, context=None):
    failures = []
    for record in event["Records"]:
        try:
            for sample in parse(record):
                if sample["object"] != "noi_test":  # what publish-test sends
                    keep(flat(sample))
        except Exception as fault:  # whatever it is, the others go on
            print("record %s: %s" % (record.get("messageId"), fault), file=sys.stderr)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
