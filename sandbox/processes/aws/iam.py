"""What moto's IAM lacks: changing the clients of an OpenID Connect provider, and thrift.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddClientIDToOpenIDConnectProvider.html
"""

from __future__ import annotations

import moto.iam.models as models
import moto.iam.urls as urls
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult, EmptyResult
from moto.iam.responses import IamResponse


class IamOperations(IamResponse):
    """moto's operations and these."""

    def add_client_id_to_open_id_connect_provider(self) -> ActionResult:
        clients = self._clients()
        client = self._get_param("ClientID")
        if client not in clients:  # adding one that is there succeeds
            clients.append(client)
        return EmptyResult()

    def remove_client_id_from_open_id_connect_provider(self) -> ActionResult:
        clients = self._clients()
        client = self._get_param("ClientID")
        if client in clients:  # so does removing one that is not
            clients.remove(client)
        return EmptyResult()

    def _clients(self) -> list[str]:
        return self.backend.get_open_id_connect_provider(self._get_param("OpenIDConnectProviderArn")).client_id_list


def _account_of(access_key: str) -> str:
    """Whose key it is.

    moto looks in all six partitions, and to look makes the IAM of each with the 1,600 policies that AWS keeps there: a
    third of the time that it takes to start.
    """
    for account, partitions in list(models.iam_backends.items()):
        if any(access_key in partition.access_keys for partition in list(partitions.values())):
            return account
    return DEFAULT_ACCOUNT_ID


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    urls.url_paths["{0}/$"] = IamOperations.dispatch
    models.get_account_id_from = _account_of
