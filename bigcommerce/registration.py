"""What the app registers in a store: webhooks, scripts and the entry that opens its panel.

No `create_…` may be repeated blindly: list first, then create or update.
https://developer.bigcommerce.com/docs/integrations/webhooks
https://developer.bigcommerce.com/docs/integrations/scripts
"""

from collections.abc import Mapping
from typing import Any, cast

from bigcommerce import documents
from bigcommerce.api import Api

# GraphQL for the entry in an order's Action menu that opens our panel:
# https://developer.bigcommerce.com/docs/integrations/apps/app-extensions
_EXTENSION = "id context model url label { defaultValue locales { value localeCode } }"

LIST_EXTENSIONS = f"query {{ store {{ appExtensions {{ edges {{ node {{ {_EXTENSION} }} }} }} }} }}"

CREATE_EXTENSION = f"""mutation AppExtension($input: CreateAppExtensionInput!) {{
  appExtension {{ createAppExtension(input: $input) {{ appExtension {{ {_EXTENSION} }} }} }} }}"""

UPDATE_EXTENSION = f"""mutation AppExtension($input: UpdateAppExtensionInput!) {{
  appExtension {{ updateAppExtension(input: $input) {{ appExtension {{ {_EXTENSION} }} }} }} }}"""

DELETE_EXTENSION = """mutation AppExtension($input: DeleteAppExtensionInput!) {
  appExtension { deleteAppExtension(input: $input) { deletedAppExtensionId } } }"""


class Registration(Api):
    """The endpoints for what the app registers."""

    def hooks(self) -> list[documents.Hook]:
        return self._v3_rows("v3", "hooks")

    def create_hook(
        self, scope: str, destination: str, headers: Mapping[str, str]
    ) -> documents.Hook:
        """Create a webhook. NOT repeatable: list first. Every webhook carries `headers`."""
        body = {
            "scope": scope,
            "destination": destination,
            "is_active": True,
            "headers": dict(headers),
        }
        return cast(documents.Hook, self._data("POST", "v3", "hooks", body=body))

    def update_hook(self, hook_id: int, **fields: Any) -> documents.Hook:
        return cast(documents.Hook, self._data("PUT", "v3", "hooks", hook_id, body=fields))

    def delete_hook(self, hook_id: int) -> None:
        self._delete("v3", "hooks", hook_id)

    def hooks_admin(self) -> documents.HooksAdmin:
        """Return deactivated webhooks, and domains to which BigCommerce stopped sending."""
        return cast(documents.HooksAdmin, self._data("GET", "v3", "hooks", "admin"))

    def scripts(self) -> list[documents.Script]:
        return self._v3_rows("v3", "content", "scripts")

    def create_script(self, fields: Mapping[str, Any]) -> documents.Script:
        """Create a script. NOT repeatable: a second call creates a second script."""
        return cast(documents.Script, self._data("POST", "v3", "content", "scripts", body=fields))

    def update_script(self, uuid: str, fields: Mapping[str, Any]) -> documents.Script:
        data = self._data("PUT", "v3", "content", "scripts", uuid, body=fields)
        return cast(documents.Script, data)

    def delete_script(self, uuid: str) -> None:
        self._delete("v3", "content", "scripts", uuid)

    def app_extensions(self) -> list[documents.AppExtension]:
        match self._graphql(LIST_EXTENSIONS, {}):
            case {"store": {"appExtensions": {"edges": list(edges)}}}:
                return [edge["node"] for edge in edges if isinstance(edge, dict)]
            case _:
                raise self._unreadable("POST", "graphql")

    def create_app_extension(self, fields: Mapping[str, Any]) -> documents.AppExtension:
        """Create the entry. `fields`: context, model, url and label, which needs `locales`."""
        return self._app_extension(CREATE_EXTENSION, "createAppExtension", fields)

    def update_app_extension(
        self, extension_id: str, url: str, label: documents.Label
    ) -> documents.AppExtension:
        fields = {"id": extension_id, "data": {"url": url, "label": label}}
        return self._app_extension(UPDATE_EXTENSION, "updateAppExtension", fields)

    def delete_app_extension(self, extension_id: str) -> None:
        self._graphql(DELETE_EXTENSION, {"input": {"id": extension_id}})

    def _app_extension(
        self, mutation: str, name: str, fields: Mapping[str, Any]
    ) -> documents.AppExtension:
        match self._graphql(mutation, {"input": dict(fields)}):
            case {"appExtension": dict(results)}:
                if isinstance(result := results.get(name), dict) and result.get("appExtension"):
                    return cast(documents.AppExtension, result["appExtension"])
        raise self._unreadable("POST", "graphql")
