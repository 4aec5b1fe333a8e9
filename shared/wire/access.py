"""How Kafka is reached: the settings that every program has which talks to it."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.wire.topics import UNPACKED_BYTES

Security = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]


class KafkaSettings(BaseSettings):
    """Environment variables `BELAY_<FIELD>`, by the names that Kafka's own clients use."""

    model_config = SettingsConfigDict(env_prefix="BELAY_", frozen=True)

    kafka: str = Field(default="127.0.0.1:9092", description="bootstrap servers, host:port separated by commas")
    kafka_security: Security = Field(
        default="plaintext", description="the listener's protocol: plaintext, ssl (TLS), sasl_plaintext or sasl_ssl"
    )
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        default="SCRAM-SHA-512", description="how the user proves who it is, with sasl_plaintext and sasl_ssl"
    )
    kafka_user: str = Field(default="", description="with sasl_plaintext and sasl_ssl")
    kafka_password_file: Path | None = Field(
        default=None, description="file that holds the user's password; read at each connection, so it may be changed"
    )
    kafka_ca: Path | None = Field(
        default=None, description="PEM file of the authorities that vouch for the brokers; none = those of the system"
    )
    unpacked_max: int = Field(
        default=UNPACKED_BYTES, ge=2**20, le=64 * 2**20, description="most bytes of a batch of records once unpacked"
    )

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.kafka_security.endswith("ssl")

    @property
    def uses_sasl(self) -> bool:
        """Whether a user logs in."""
        return self.kafka_security.startswith("sasl")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Whoever sets half of it would connect in clear, or be refused by every broker without knowing why."""
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> list[str]:
        login = {"BELAY_KAFKA_USER": self.kafka_user, "BELAY_KAFKA_PASSWORD_FILE": self.kafka_password_file}
        files = {"BELAY_KAFKA_PASSWORD_FILE": self.kafka_password_file, "BELAY_KAFKA_CA": self.kafka_ca}
        missing = [name for name, value in login.items() if self.uses_sasl and not value]
        idle = [name for name, value in login.items() if not self.uses_sasl and value]
        idle += ["BELAY_KAFKA_CA"] if self.kafka_ca and not self.uses_tls else []
        absent = [(name, path) for name, path in files.items() if path and not path.is_file()]
        return [
            *(f"{name} is needed with BELAY_KAFKA_SECURITY={self.kafka_security}" for name in missing),
            *(f"{name} has no effect with BELAY_KAFKA_SECURITY={self.kafka_security}" for name in idle),
            *(f"{name}: there is no file {path}" for name, path in absent),
        ]


def at(bootstrap_servers: str) -> KafkaSettings:
    """A Kafka on loopback that wants no login, whatever the environment says: the embedded one."""
    return KafkaSettings.model_construct(kafka=bootstrap_servers)
