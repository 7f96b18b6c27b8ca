"""From a credential that stands for tokens to the secret that lends them, by routers.yaml or by the environment.

The variables are those that the vendors' own SDKs read. Sources of tokens that the runtime has go on being used, so
that a reload asks for none anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from gateway.config import spec as sp
from gateway.core.secret import LentSecret, Secret
from gateway.providers.grant import Grant
from gateway.providers.grants_aws import CONTAINER_HOST, ContainerEndpoint, WebIdentity
from gateway.providers.grants_azure import AUTHORITY, EntraApplication
from gateway.providers.row import Row
from gateway.runtime import Runtime
from gateway.upstream.token_source import TokenSource

_MAX_FILE: Final = 1 << 20


class Lenders:
    """problems: what is wrong with a provider's credentials in the environment, by its name. projects: what its
    account's file names, by provider."""

    def __init__(self, runtime: Runtime, env: Mapping[str, str]) -> None:
        self._runtime = runtime
        self._env = env
        self.problems: dict[str, str] = {}
        self.projects: dict[str, str] = {}

    def of_key(self, provider: str, name: str, key: sp.ProviderKey, region: str) -> Secret | None:
        """The secret of a configured key; None where it is a plain value."""
        if key.google is not None:
            if isinstance(key.google, sp.GoogleKey):
                return self._google(provider, name, key.google.service_account)
            return self._metadata(name)
        if key.azure is not None:
            azure = key.azure
            return self._entra(
                name,
                azure.tenant,
                azure.client,
                azure.secret or "",
                azure.token_file or "",
                azure.authority or self._env.get("AZURE_AUTHORITY_HOST") or AUTHORITY,
            )
        if isinstance(key.aws, sp.AwsKey):
            aws = key.aws
            if aws.role:
                return self._web_identity(name, aws.role, aws.token_file or "", region)
            pair = (aws.access_key_id or "", aws.secret_access_key or "")
            return Secret(name, ":".join((*pair, aws.session_token) if aws.session_token else pair))
        if key.aws is not None:
            return self._container(name)
        return None

    def of_environment(self, row: Row, region: str) -> Secret | None:
        """The secret that the environment leads to, where it does."""
        env = self._env
        match row.lender:
            case "google":
                file = env.get("GOOGLE_APPLICATION_CREDENTIALS", "")
                if file:
                    return self._google_file(row.name, file)
                return self._metadata("metadata") if env.get("GCE_METADATA_HOST") else None
            case "azure":
                tenant, client = env.get("AZURE_TENANT_ID", ""), env.get("AZURE_CLIENT_ID", "")
                secret, file = env.get("AZURE_CLIENT_SECRET", ""), env.get("AZURE_FEDERATED_TOKEN_FILE", "")
                if not (tenant and client and (secret or file)):
                    return None
                return self._entra(
                    "AZURE_CLIENT_ID", tenant, client, secret, file, env.get("AZURE_AUTHORITY_HOST") or AUTHORITY
                )
            case "aws":
                role, file = env.get("AWS_ROLE_ARN", ""), env.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
                if role and file:
                    return self._web_identity("AWS_ROLE_ARN", role, file, region)
                return self._container("container")
            case "":
                return None

    def _google_file(self, provider: str, name: str) -> Secret | None:
        variable = "GOOGLE_APPLICATION_CREDENTIALS"
        try:
            with Path(name).open("rb") as file:
                return self._google(provider, variable, file.read(_MAX_FILE).decode())
        except OSError:
            problem = "it cannot be read"
        except UnicodeDecodeError:
            problem = "it is not UTF-8 text"
        except ValueError as error:
            problem = str(error)
        self.problems[provider] = f"{variable} names a file of no use: {problem}."
        return None

    def _google(self, provider: str, name: str, text: str) -> Secret:
        # What stands behind it costs more to import than most configs to read.
        from gateway.providers.grants_google import read_account  # noqa: PLC0415

        account = read_account(text)
        if account.project:
            self.projects.setdefault(provider, account.project)
        return self._lent(name, text, ("google", text), lambda: account)

    def _metadata(self, name: str) -> Secret:
        from gateway.providers.grants_google import METADATA_HOST, MetadataServer  # noqa: PLC0415

        host = self._env.get("GCE_METADATA_HOST") or METADATA_HOST
        return self._lent(name, "", ("metadata", host), partial(MetadataServer, host))

    def _entra(self, name: str, tenant: str, client: str, secret: str, file: str, authority: str) -> Secret:
        parts = (tenant, client, secret, file, authority)
        return self._lent(name, secret, ("entra", *parts), partial(EntraApplication, *parts))

    def _web_identity(self, name: str, role: str, file: str, region: str) -> Secret:
        endpoint = self._env.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region or 'us-east-1'}.amazonaws.com"
        session = self._env.get("AWS_ROLE_SESSION_NAME") or "router-gateway"
        parts = (role, file, endpoint, session)
        return self._lent(name, "", ("sts", *parts), partial(WebIdentity, *parts))

    def _container(self, name: str) -> Secret | None:
        env = self._env
        url = env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
        if path := env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ""):
            url = CONTAINER_HOST + path
        if not url:
            return None
        authorization = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        parts = (url, authorization, env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", ""))
        return self._lent(name, authorization, ("container", *parts), partial(ContainerEndpoint, *parts))

    def _lent(self, name: str, text: str, identity: tuple[str, ...], grant: Callable[[], Grant]) -> LentSecret:
        runtime = self._runtime
        source = runtime.token_sources.get(identity)
        if source is None:
            # One name for each credential, whichever come and go: a token under another's would unmask that one.
            whose = " ".join(("token", *identity))
            source = runtime.token_sources[identity] = TokenSource(
                runtime.clock,
                runtime.transport,
                grant(),
                name,
                lambda event, fields: runtime.log.write("warning" if "not" in event else "info", event, fields),
                lambda token: runtime.log.protect(_parts(token), whose),
            )
        return LentSecret(name, text, source)


def _parts(token: str) -> list[str]:
    """A token, or the parts of a key pair, each of which is secret by itself."""
    return [token, *token.split(":")]
