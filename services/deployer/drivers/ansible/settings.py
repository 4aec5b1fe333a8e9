"""What this driver can be told by its environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AnsibleSettings(BaseSettings):
    """Environment variables `BELAY_ANSIBLE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_ANSIBLE_", frozen=True)

    at_once: int = Field(default=4, ge=1, description="most runs side by side; each is two processes and its forks")
    forks: int = Field(default=10, ge=1, description="most hosts that a run works on side by side")
    sites_a_run: int = Field(default=500, ge=1, description="most sites that share a run")
    connect_seconds: int = Field(default=10, ge=1, description="a host that does not answer for so long is unreachable")
    grace_seconds: float = Field(
        default=20, gt=0, description="a run that is to stop is killed when its task lasts so much longer"
    )
    unattended_seconds: float = Field(
        default=60, ge=2, description="a run that no deployer looks after stops by itself after so long"
    )
    shared_seconds: float = Field(
        default=120,
        gt=0,
        description="a shared run goes on so long when the order of one site is cancelled; then it is begun anew",
    )
    bundles: int = Field(default=20, ge=1, description="unpacked bundles that are kept for the next run")
    send_at_once: int = Field(
        default=50, ge=1, description="most hosts that content is sent to side by side, and most orders of that alone"
    )
    unreachable_seconds: float = Field(
        default=60, gt=0, description="a host that is cut off while content is sent is tried again for so long"
    )
