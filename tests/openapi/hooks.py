"""What schemathesis does not know by itself: MessagePack, deadlines that are not over yet, and which refusals valid data
may meet.
"""

import datetime
import json

import msgpack
import schemathesis

# A body that the schema allows may break a rule that no schema can say (a length in bytes, a cursor of another list,
# a balance), but it is never called one of these.
NEVER_OF_VALID_DATA = {"malformed_json", "malformed_msgpack", "unknown_field", "unsupported_media_type", "method_not_allowed"}


def as_msgpack(value):
    """Amounts as text where MessagePack has no exact number, metadata as the text of its JSON."""
    if isinstance(value, dict):
        return {
            name: json.dumps(entry) if name == "metadata" and isinstance(entry, dict) else as_msgpack(entry)
            for name, entry in value.items()
        }
    if isinstance(value, list):
        return [as_msgpack(entry) for entry in value]
    if isinstance(value, float) or (isinstance(value, int) and not -(2**63) <= value < 2**64):
        return str(value)
    return value


@schemathesis.serializer("application/msgpack")
def pack(ctx, value):
    if isinstance(value, bytes):
        return value
    return msgpack.packb(as_msgpack(value), default=str, unicode_errors="surrogatepass")


@schemathesis.deserializer("application/msgpack")
def unpack(ctx, response):
    return msgpack.unpackb(response.content)


def soon(text):
    """A time that is one becomes a deadline that can be kept: else most requests would end at it."""
    try:
        datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return text
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=20)).isoformat()


def is_valid(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(ctx, case, kwargs):
    if not is_valid(case):
        return
    deadline = (case.headers or {}).get("Drip-Deadline")
    if deadline is not None:
        deadline = case.headers["Drip-Deadline"] = soon(deadline)
    if isinstance(case.body, dict) and "deadline" in case.body:
        # Header and body must say the same.
        case.body["deadline"] = soon(case.body["deadline"]) if deadline is None else deadline


@schemathesis.check
def valid_data_is_not_called_malformed(ctx, response, case):
    if is_valid(case) and response.status_code >= 400:
        code = response.json()["code"]
        assert code not in NEVER_OF_VALID_DATA, f"data that the schema allows is refused as {code}"


@schemathesis.check
def problems_are_problems(ctx, response, case):
    if response.status_code >= 400 and not case.path.startswith("/health"):
        problem = response.json()
        assert problem["status"] == response.status_code, problem
        assert len(response.content) < 2000, "a problem is short, whatever was sent"
