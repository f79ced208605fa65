"""What moto's KMS forgets: how often a key rotates.

https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html
"""

from __future__ import annotations

import json
from typing import Any

import moto.kms.urls as urls
from moto.kms.responses import KmsResponse

_DEFAULT_DAYS = 365


class KmsOperations(KmsResponse):
    """moto's operations, with the rotation period kept and told."""

    def enable_key_rotation(self) -> str:
        answer = super().enable_key_rotation()
        self._key()["freehold_rotation_days"] = self._get_param("RotationPeriodInDays") or _DEFAULT_DAYS
        return answer

    def get_key_rotation_status(self) -> str:
        answer: dict[str, Any] = json.loads(super().get_key_rotation_status())
        if answer["KeyRotationEnabled"]:
            answer["RotationPeriodInDays"] = self._key().get("freehold_rotation_days", _DEFAULT_DAYS)
        return json.dumps(answer)

    def _key(self) -> dict[str, Any]:
        return vars(self.kms_backend.keys[self.kms_backend.get_key_id(self._get_param("KeyId"))])


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    urls.url_paths["{0}/$"] = KmsOperations.dispatch
