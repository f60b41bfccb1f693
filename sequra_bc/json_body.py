"""JSON from strangers: what Python's parser breaks on is the sender's mistake."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class JSONBody(JSONParser):
    """REST framework's parser answers 500 to a thousand brackets and to a number of a thousand
    digits; this one answers 400."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except (RecursionError, ValueError) as error:
            raise ParseError from error
