"""The deployer's own settings, beside those that every service has."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.deployer.course import Limits


class DeployerSettings(BaseSettings):
    """Environment variables `BELAY_DEPLOYER_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_DEPLOYER_", frozen=True)

    at_once: int = Field(default=5_000, ge=1, description="most operations that one replica has under way")
    claim: int = Field(default=500, ge=1, description="most operations taken up, and finished, in one go")
    stop_seconds: float = Field(default=60, gt=0, description="a cancelled component is given up after so long")
    recovery_seconds: float = Field(default=600, gt=0, description="a recovery is given up after so long")
    progress_seconds: float = Field(
        default=1, gt=0, description="least time between two progress events of one operation"
    )
    cancel_check_seconds: float = Field(default=0.25, gt=0, description="how often cancellations are looked for")
    unneeded_seconds: float = Field(
        default=600, gt=0, description="withdrawn releases that no site needs are looked for so often, and told so late"
    )
    deletion_seconds: float = Field(
        default=5, gt=0, description="so long after it was asked for, a release that nobody needs may be deleted"
    )
    check_seconds: float = Field(
        default=60, ge=0, description="sites are asked so often whether they answer; 0 = never"
    )
    check_at_once: int = Field(
        default=400, ge=1, description="most sites that one replica asks at the same time, in hundreds"
    )
    history: int = Field(default=20, ge=1, description="releases remembered for each deployment")

    operation_days: float = Field(
        default=30, gt=0, description="ended operations are kept so long, and as long as answers to commands are"
    )

    override_days: float = Field(
        default=90, gt=0, description="changes of overrides are kept so long, and the last 100 of each place for ever"
    )

    releases_keep: int = Field(
        default=3,
        ge=2,
        le=50,
        description="releases whose files stay on a site, the one that runs and the way back among them",
    )

    prestaged_keep: int = Field(
        default=2,
        ge=1,
        le=20,
        description="newest releases of an app that stay prestaged on a site, beside what is used",
    )
    fetch_site_bytes: int = Field(default=0, ge=0, description="most bytes a second sent to one site; 0 = no limit")
    fetch_fleet_bytes: int = Field(
        default=0, ge=0, description="most bytes a second sent to all sites, by all deployers together; 0 = no limit"
    )
    fetch_at_once: int = Field(default=64, ge=1, description="most chunks (1 MiB) of content that one replica sends")

    failed_at: int = Field(
        default=1, ge=1, description="a release that failed on so many sites is chosen by nothing that goes by itself"
    )

    audit_seconds: float = Field(
        default=300, gt=0, description="apps that are to be looked after are looked at so often, where any asks for it"
    )
    automatic_at_once: int = Field(
        default=10, ge=1, description="most operations that go by themselves over the fleet at once"
    )
    automatic_pause_seconds: float = Field(
        default=60, ge=0, description="after one of them failed, no further one begins for so long"
    )
    automatic_tries: int = Field(default=3, ge=1, description="so often one is tried before it is given up and told")
    automatic_again_seconds: float = Field(
        default=60, gt=0, description="first time between two tries; it doubles with each, up to a day"
    )

    simulated_mib: int = Field(
        default=128, ge=1, description="a journal of simulated devices larger than this is made anew, in short"
    )

    @property
    def limits(self) -> Limits:
        """The bounds of an operation's course."""
        return Limits(timedelta(seconds=self.stop_seconds), timedelta(seconds=self.recovery_seconds))
