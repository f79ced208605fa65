"""The `aws` provider's own configuration: where the API is, whose credentials, which tags everything gets.

Source: https://www.pulumi.com/registry/packages/aws/installation-configuration/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sandbox.providers.aws.api import Api
from sandbox.providers.aws.clients import Access
from sandbox.providers.configuration import structure, text
from sandbox.providers.interface import CheckFailure, Properties, ProviderError, Unknown

_DEFAULT_TAGS_PREFIX = "TF_AWS_DEFAULT_TAGS_"

_SERVED = frozenset(
    {"accessKey", "secretKey", "token", "region", "profile", "endpoints", "defaultTags", "allowedAccountIds",
     "forbiddenAccountIds", "skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation",
     "skipRequestingAccountId", "s3UsePathStyle", "maxRetries", "retryMode", "stsRegion"}
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What `configure` was given, read once."""

    region: str
    access_key: str | None
    secret_key: str | None
    token: str | None
    profile: str | None
    endpoint: str | None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    default_tags: Mapping[str, str] = field(default_factory=dict)
    allowed_accounts: tuple[str, ...] = ()
    forbidden_accounts: tuple[str, ...] = ()

    @staticmethod
    def refused(config: Properties) -> Iterator[CheckFailure]:
        """Settings that would change what the provider does, and that the stand-in does not know."""
        for name, value in config.items():
            if name not in _SERVED and value not in (None, "") and structure_or_text(config, name):
                yield CheckFailure(name, f"`{name}` is not served by the sandbox's aws stand-in")

    @classmethod
    def read(cls, config: Properties, environment: Mapping[str, str]) -> Settings:
        """The configuration over the environment of the engine, as the official provider orders them."""
        profile = text(config, "profile") or (None if text(config, "accessKey") else environment.get("AWS_PROFILE"))
        region = text(config, "region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        if not region:
            raise ProviderError("aws: no region; set aws:region or AWS_REGION")
        endpoints: dict[str, str] = {}
        for entry in structure(config, "endpoints") or []:
            endpoints.update({service: url for service, url in entry.items() if url})
        tags = {
            name.removeprefix(_DEFAULT_TAGS_PREFIX): value
            for name, value in environment.items()
            if name.startswith(_DEFAULT_TAGS_PREFIX)
        }
        tags.update((structure(config, "defaultTags") or {}).get("tags") or {})
        endpoint = environment.get("AWS_ENDPOINT_URL")
        if not endpoint and not endpoints:
            raise ProviderError(
                "aws: no endpoint; the stand-in serves the sandbox alone, so set AWS_ENDPOINT_URL "
                '(eval "$(./freehold sandbox env)")'
            )
        return cls(
            region=region,
            access_key=text(config, "accessKey") or environment.get("AWS_ACCESS_KEY_ID"),
            secret_key=text(config, "secretKey") or environment.get("AWS_SECRET_ACCESS_KEY"),
            token=text(config, "token") or environment.get("AWS_SESSION_TOKEN"),
            profile=profile,
            endpoint=endpoint,
            endpoints=endpoints,
            default_tags=tags,
            allowed_accounts=tuple(structure(config, "allowedAccountIds") or ()),
            forbidden_accounts=tuple(structure(config, "forbiddenAccountIds") or ()),
        )

    def api(self, operations: Mapping[str, frozenset[str]]) -> Api:
        """The API by these settings. Raises ProviderError for an account that the program does not allow."""
        access = Access(
            region=self.region,
            access_key=self.access_key,
            secret_key=self.secret_key,
            token=self.token,
            profile=self.profile,
            endpoint=self.endpoint,
            endpoints=tuple(sorted(self.endpoints.items())),
        )
        api = Api(access, operations)
        try:
            if self.allowed_accounts and api.account not in self.allowed_accounts:
                raise ProviderError(f"aws: account {api.account} is not among allowedAccountIds")
            if self.forbidden_accounts and api.account in self.forbidden_accounts:
                raise ProviderError(f"aws: account {api.account} is among forbiddenAccountIds")
        except BaseException:
            api.close()
            raise
        return api


def structure_or_text(config: Properties, name: str) -> object:
    """A setting whether it arrived as text or as JSON; None where it says nothing."""
    value = config.get(name)
    if isinstance(value, Unknown) or not isinstance(value, str):
        return value
    return None if value in ("", "null", "[]", "{}", "false") else value
