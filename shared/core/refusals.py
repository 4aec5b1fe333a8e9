"""Which of Kafka's refusals are for good: the same record will be refused whenever it is sent.

Everything else is waited for, in order: a topic or a right that is missing, a broker that is away. That is an
operator's to mend, and to put all records aside meanwhile would take their order from them.
"""

from aiokafka.errors import (
    BrokerResponseError,
    CorruptRecordException,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
    kafka_errors,
)


class InvalidRecord(BrokerResponseError):  # type: ignore[misc]
    """INVALID_RECORD, which aiokafka does not know and would call an unknown error of the server."""

    errno = 87
    message = "INVALID_RECORD"
    description = "This record has failed the validation on the broker and hence was rejected."


kafka_errors.setdefault(InvalidRecord.errno, InvalidRecord)

FOR_GOOD: dict[type[BaseException], str] = {
    MessageSizeTooLargeError: "it is larger than its topic takes (max.message.bytes)",
    RecordListTooLargeError: "it is larger than a segment of its topic (segment.bytes)",
    kafka_errors[87]: "Kafka calls it invalid: a compacted topic takes no record without a key",
    CorruptRecordException: "Kafka calls it corrupt: a compacted topic takes no record without a key",
    InvalidTimestampError: "its time is out of the range that the topic takes",
    UnsupportedForMessageFormatError: "the topic's format has no headers",
    UnicodeEncodeError: "the name of a header is no text that Kafka can carry",
}
"""The reason by the error. Each is about the record itself, alone in its batch."""


def refused_for_good(error: BaseException) -> str | None:
    """Why this record will never be taken; None when it may be, later."""
    return FOR_GOOD.get(type(error))
