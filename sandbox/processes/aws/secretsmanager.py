"""What moto's Secrets Manager does otherwise: an empty description takes the description away.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecret.html
"""

from __future__ import annotations

import moto.secretsmanager.urls as urls
from moto.secretsmanager.models import FakeSecret
from moto.secretsmanager.responses import SecretsManagerResponse


class SecretsManagerOperations(SecretsManagerResponse):
    """moto's operations and this."""

    def update_secret(self) -> str:
        answer = super().update_secret()
        secret = self.backend.secrets[self._get_param("SecretId")]
        if self._get_param("Description") == "" and isinstance(secret, FakeSecret):
            secret.description = ""  # moto takes it for one that was not given
        return answer


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    urls.url_paths["{0}/$"] = SecretsManagerOperations.dispatch
