"""Which parts of a source text must never be shown: values that look like secrets.

This is for messages only, so it errs on the side of hiding. It works on raw text, because a file that is not
YAML has secrets in it too.
"""

from __future__ import annotations

import re

_NAMES = (
    r"[\w-]*(?:passw(?:or)?d|passphrase|passwort|pwd|secret|token|credential|authorization|bearer"
    r"|(?:api|private|access|service|anon|account|signing|encryption|ssh|master|shared)[_-]?key|service[_-]?role)[\w-]*"
    r"|(?:[\w-]*[_-])?(?:dsn|pass|pw|auth)|key"
)
_NAME = re.compile(_NAMES, re.IGNORECASE)
_PAIR = re.compile(
    rf"""(?<![\w-])["']?(?:{_NAMES})["']?\s*[:=][ \t]*
    (?P<value> "(?:[^"\\]|\\.)*"? | '(?:[^']|'')*'?
      | [^\s\#"'].*?(?=\s*(?:,\s*["']?[\w.-]+["']?\s*:|[}}\]]\s*(?:[,}}\]\#]|$)|\s\#|$)) )""",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_URL_USER = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,30}://(?P<user>[^\s/@\"']{0,300}:[^\s\"']{1,300})@"
)
_TOKENS = re.compile(
    r"eyJ[\w-]{8,300}[\w.-]*|(?<![\w-])(?:sk|pk|sbp|ghp|gho|xox[abp])[-_][\w-]{12,300}[\w-]*|AKIA[0-9A-Z]{16}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*"
)
_URL_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://(?P<value>[^\s/?#]{1,300})@")
_ASSIGNMENT = re.compile(rf"""(?:^|[\s?&;,"'{{])(?:{_NAMES})\s*=\s*(?P<value>[^\s&;,]+)""", re.IGNORECASE)
_REFERENCE = re.compile(r"""["']?\$\{[A-Za-z_][\w.]*\}["']?""")
_MARKS = ("://", "eyJ", "sk-", "sk_", "pk-", "pk_", "sbp", "ghp", "gho", "xox", "AKIA", "PRIVATE KEY")
#: Whatever matches ``_NAMES`` holds one of these, or is ``key`` with nothing or one of those words before it.
_HINTS = ("pass", "pwd", "pw", "secret", "token", "credential", "auth", "bearer", "role", "dsn")
_KEY = re.compile(
    r"""(?<![\w-])["']?key["']?\s*:|(?:api|private|access|service|anon|account|signing|encryption|ssh|master|shared)[_-]?key"""
)
_BLOCK_PAIR = re.compile(rf"""(?P<indent>[ ]*(?:-[ ]+)*)["']?(?:{_NAMES})["']?\s*:""", re.IGNORECASE)


def is_secret_key(key: object) -> bool:
    """Whether a key of this name usually holds a secret (``password``, ``api_key``, Supabase's ``key``)."""
    return isinstance(key, str) and len(key) < 200 and _NAME.fullmatch(key) is not None


def is_reference(text: object) -> bool:
    """Whether ``text`` is nothing but ``${NAME}``: it says where a secret comes from and is none itself."""
    return isinstance(text, str) and _REFERENCE.fullmatch(text.strip()) is not None


def may_hold_secrets(text: str) -> bool:
    """A quick look at a whole file: False when nothing in it is a secret by its key or by its own form."""
    lower = text.lower()
    return (
        any(mark in text for mark in _MARKS) or any(hint in lower for hint in _HINTS) or _KEY.search(lower) is not None
    )


def holds_credentials(text: str) -> bool:
    """Whether ``text`` contains a URL with a password, or a well-known kind of token or private key."""
    if not any(mark in text for mark in _MARKS):
        return False
    return _TOKENS.search(text) is not None or holds_password_in_url(text)


def holds_password_in_url(text: str) -> bool:
    """Whether ``text`` contains a URL with a password."""
    return any("${" not in match["user"] for match in _URL_USER.finditer(text))


def holds_access(text: str) -> bool:
    """The same for a field of a connection, where less is usual: no user in a URL either, and no ``password=…``.

    References are no credentials; what they stand for is looked at when they are filled in.
    """
    return holds_credentials(text) or any(
        "${" not in match["value"] for form in (_URL_LOGIN, _ASSIGNMENT) for match in form.finditer(text)
    )


def secret_ranges(text: str) -> list[tuple[int, int]]:
    """Character ranges of ``text`` that must not be shown, going by the text alone."""
    found = [m.span("value") for m in _PAIR.finditer(text) if not is_reference(m["value"])]
    found += [m.span("user") for m in _URL_USER.finditer(text) if "${" not in m["user"]]
    found += [m.span() for m in _TOKENS.finditer(text)]
    return found


def continues_secret(before: list[str], line: str) -> bool:
    """Whether ``line`` is the continuation of a secret's value that one of the lines ``before`` began."""
    indent = len(line) - len(line.lstrip())
    item = line.lstrip().startswith("-")  # may stand right below its key
    for earlier in reversed(before):
        if not earlier.strip():
            continue
        pair = _BLOCK_PAIR.match(earlier)
        if pair and (len(pair["indent"]) < indent or (item and len(pair["indent"]) == indent)):
            return True
        indent = min(indent, len(earlier) - len(earlier.lstrip()))
    return False
