"""JSON from strangers: what Python's parser breaks on is the sender's mistake."""

from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from wire.reading import read_json

DEEPEST = 8  # levels: the deepest document that the endpoints know has one


class JSONBody(JSONParser):
    """REST framework's parser answers 500 to a thousand brackets, to a number of five thousand
    digits, and to half a surrogate pair that comes back in a message; this one answers 400."""

    def parse(self, stream: IO[Any], *_type: Any, **_context: Any) -> Any:
        try:
            return read_json(stream.read().decode(), DEEPEST)
        except (RecursionError, ValueError) as error:
            raise ParseError from error
