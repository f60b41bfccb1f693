"""GraphQL for the entry in an order's Action menu that opens our panel.

https://developer.bigcommerce.com/docs/integrations/apps/app-extensions
"""

FIELDS = "id context model url label { defaultValue locales { value localeCode } }"

LIST = f"query {{ store {{ appExtensions {{ edges {{ node {{ {FIELDS} }} }} }} }} }}"

CREATE = f"""mutation AppExtension($input: CreateAppExtensionInput!) {{
  appExtension {{ createAppExtension(input: $input) {{ appExtension {{ {FIELDS} }} }} }} }}"""

UPDATE = f"""mutation AppExtension($input: UpdateAppExtensionInput!) {{
  appExtension {{ updateAppExtension(input: $input) {{ appExtension {{ {FIELDS} }} }} }} }}"""

DELETE = """mutation AppExtension($input: DeleteAppExtensionInput!) {
  appExtension { deleteAppExtension(input: $input) { deletedAppExtensionId } } }"""
