"""Half a login is no login: what does not go together is said when the settings are read, all of it at once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.wire.access import KafkaSettings, at
from shared.wire.kafka import access


def test_a_plain_kafka_needs_nothing() -> None:
    assert access(at("one:9092")) == {"bootstrap_servers": "one:9092", "security_protocol": "PLAINTEXT"}


def test_a_login_without_user_and_password_names_both() -> None:
    with pytest.raises(ValidationError) as refused:
        KafkaSettings(kafka_security="sasl_ssl")
    for name in ("BELAY_KAFKA_USER", "BELAY_KAFKA_PASSWORD_FILE"):
        assert f"{name} is needed with BELAY_KAFKA_SECURITY=sasl_ssl" in str(refused.value)


def test_a_password_that_would_never_be_asked_for_is_no_silent_plaintext(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="BELAY_KAFKA_USER has no effect with BELAY_KAFKA_SECURITY=plaintext"):
        KafkaSettings(kafka_user="fleet")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    with pytest.raises(ValidationError, match=f"BELAY_KAFKA_CA: there is no file {missing}"):
        KafkaSettings(kafka_security="ssl", kafka_ca=missing)


def test_the_password_is_that_of_now(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    settings = KafkaSettings(kafka_security="sasl_plaintext", kafka_user="fleet", kafka_password_file=file)
    assert access(settings)["sasl_plain_password"] == "first"
    file.write_text("second\r\n")
    told = access(settings)
    assert told["sasl_plain_password"] == "second"
    assert (told["security_protocol"], told["sasl_mechanism"]) == ("SASL_PLAINTEXT", "SCRAM-SHA-512")
