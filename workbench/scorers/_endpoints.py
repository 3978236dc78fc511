"""Requests to servers that speak vLLM's or Cohere's shape: several addresses at once, bounded, retried where that helps.

Knows nothing of prompts or scores: a body goes out as JSON, an object comes back, or an error that says who and why.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import unquote, urlsplit

import httpx

from workbench.errors import Busy, ModelUnavailable, PromptInvalid, RequestInvalid, ScoreFailed, Stopped, WorkbenchError
from workbench.scorers import Stop, never
from workbench.types import JSON

AT_ONCE = 4  # requests under way at one server
TRIES = 3
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 20.0  # seconds
CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 60.0
MAX_ANSWER = 64_000_000  # bytes
KEY_HINT = "Give it with --endpoint-key KEY."
Job = tuple[str, dict[str, JSON]]  # path and body


class Refused(PromptInvalid):
    """The server understood and said no: the same request would be refused again. `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int = 400, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Address:
    """A server as people write it: `http://host:8000`, `https://:KEY@host/v1`, `https://api.example/v2/rerank#MODEL`.

    `root` carries the routes without a version, `rerank` is the path of the rerank route, `name` what may be shown.
    """

    root: str
    rerank: str
    name: str
    key: str = ""
    model: str = ""


def address(text: str) -> Address:
    """Raises RequestInvalid for what is no address of a server."""
    try:
        url = urlsplit(text.strip())
        host, port = url.hostname or "", url.port
    except ValueError as error:
        raise _no_address(text) from error
    if url.scheme not in ("http", "https") or not host or url.query:
        raise _no_address(text)
    place = f"[{host}]" if ":" in host else host
    origin = f"{url.scheme}://{place}" + (f":{port}" if port is not None else "")
    path = re.sub(r"/rerank$", "", url.path.rstrip("/"))
    version = (re.search(r"/v[12]$", path) or [""])[0]
    key = unquote(url.password or url.username or "")
    model = unquote(url.fragment)
    shown = origin + path + (f"#{model}" if model else "")
    return Address(origin + path.removesuffix(version), f"{version}/rerank", shown, key, model)


def _no_address(text: str) -> RequestInvalid:
    shown = re.sub(r"//[^/@]*@", "//…@", text.strip())[:200]
    return RequestInvalid("is no address of a server", where=shown, hint="Write it as http://HOST:PORT.")


class Endpoints:
    """The same model behind one or more servers. `key` goes to them as a bearer token, and never where they redirect to."""

    def __init__(self, addresses: Sequence[Address], key: str = "") -> None:
        self.addresses = tuple(addresses)
        self._keys = [a.key or key for a in addresses]
        self._turns = [threading.Semaphore(AT_ONCE) for _ in addresses]
        # Neither proxies nor a .netrc of the environment: a key goes where it was meant to go and nowhere else.
        self._client = httpx.Client(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS), follow_redirects=False, trust_env=False,
            limits=httpx.Limits(max_connections=AT_ONCE * len(self.addresses) + 2),
        )  # fmt: skip

    @property
    def name(self) -> str:
        return self.addresses[0].name

    def each(self, jobs: Sequence[Job], stop: Stop = never) -> Iterator[tuple[int, JSON | WorkbenchError]]:
        """(number of the job, answer or error) as they come, in parallel over all servers; ends early when `stop` says so."""
        left = threading.Event()
        threads = ThreadPoolExecutor(AT_ONCE * len(self.addresses), thread_name_prefix="endpoint")
        try:
            waiting: dict[Future[JSON | WorkbenchError], int] = {}
            for i, (path, body) in enumerate(jobs):
                waiting[threads.submit(self._outcome, path, body, i, left.is_set)] = i
            while waiting:
                if stop():
                    return
                for job in wait(waiting, timeout=0.1, return_when=FIRST_COMPLETED)[0]:
                    yield waiting.pop(job), job.result()
        finally:
            left.set()
            threads.shutdown(wait=False, cancel_futures=True)

    def _outcome(self, path: str, body: dict[str, JSON], at: int, stop: Stop) -> JSON | WorkbenchError:
        try:
            return self.ask(path, body, at=at, stop=stop)
        except WorkbenchError as error:
            return error

    def ask(self, path: str, body: dict[str, JSON] | None = None, *, at: int = 0, stop: Stop = never) -> dict[str, JSON]:
        """The object a server answers with: POST with a body, else GET. `at` spreads requests over the servers.

        Tried again, at the next server, after 5xx, a timeout or a broken connection; never after a refusal.
        Raises Refused (4xx), Busy (503 to the end), ScoreFailed, ModelUnavailable or Stopped.
        """
        for attempt in range(TRIES):
            which = (at + attempt) % len(self.addresses)
            try:
                return self._once(which, path, body)
            except _Again as again:
                if attempt == TRIES - 1:
                    raise again.error from again.__cause__
                _pause(again.pause or FIRST_PAUSE * 2**attempt * random.uniform(0.75, 1.25), stop)
        raise AssertionError("unreachable")

    def _once(self, which: int, path: str, body: dict[str, JSON] | None) -> dict[str, JSON]:
        place, key = self.addresses[which], self._keys[which]
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            method = "GET" if body is None else "POST"
            with self._turns[which], self._client.stream(method, place.root + path, json=body, headers=headers) as response:
                raw = _read(response, place.name)
        except httpx.TimeoutException as error:
            raise _Again(ModelUnavailable("does not answer in time", where=place.name, hint=_ways(place))) from error
        except httpx.TransportError as error:
            why = f"cannot be reached ({str(error) or type(error).__name__})"
            raise _Again(ModelUnavailable(why, where=place.name, hint=_ways(place))) from error
        except (httpx.InvalidURL, httpx.DecodingError, UnicodeError) as error:
            raise ModelUnavailable(f"cannot be spoken to ({error})", where=place.name, hint=_ways(place)) from error
        if response.status_code != 200:
            _refuse(response, raw, place.name)
        return _object(raw, place.name)


class _Again(Exception):
    """Worth another try, after `pause` seconds where the server named them; `error` is what is raised when it is not."""

    def __init__(self, error: WorkbenchError, pause: float = 0.0) -> None:
        super().__init__(str(error))
        self.error, self.pause = error, pause


def _ways(place: Address) -> str:
    return f"Start a server there (`vllm serve … --runner pooling`), or check the address {place.root}."


def _pause(seconds: float, stop: Stop) -> None:
    until = time.monotonic() + min(seconds, LONGEST_PAUSE)
    while (left := until - time.monotonic()) > 0:
        if stop():
            raise Stopped("the caller stopped waiting")
        time.sleep(min(left, 0.1))


def _read(response: httpx.Response, name: str) -> bytes:
    """The body, unless it is too long or drips in slower than an answer may take."""
    chunks, size, until = [], 0, time.monotonic() + ANSWER_SECONDS
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > MAX_ANSWER or time.monotonic() > until:
            raise ScoreFailed("answers with more than can be taken" if size > MAX_ANSWER else "drips", where=name)
        chunks.append(chunk)
    return b"".join(chunks)


def _refuse(response: httpx.Response, raw: bytes, name: str) -> NoReturn:
    status, said = response.status_code, _message(raw)
    if status >= 500:
        kind = Busy if status == 503 else ScoreFailed
        wait_for = response.headers.get("retry-after", "")
        raise _Again(kind(f"answers {status}{said}", where=name), float(wait_for) if wait_for.isdecimal() else 0.0)
    if status in (401, 403):
        raise ModelUnavailable(f"does not let us in ({status}{said})", where=name, hint=KEY_HINT)
    if 300 <= status < 400:
        where = response.headers.get("location", "")[:200]
        raise ModelUnavailable(
            f"sends us on to {where or 'somewhere'} ({status}), where no key is taken", where=name,
            hint="Give that address itself if you trust it.",
        )  # fmt: skip
    raise Refused(f"refuses ({status}){said}", status=status, where=name)


def _message(raw: bytes) -> str:
    """What the server says of an error, shortened: vLLM's shape, Cohere's or FastAPI's."""
    try:
        body = json.loads(raw)
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    error = body.get("error")
    found = error.get("message") if isinstance(error, dict) else body.get("message") or body.get("detail") or error
    return f": {found[:300]}" if isinstance(found, str) and found else ""


def _object(raw: bytes, name: str) -> dict[str, JSON]:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise ScoreFailed(f"answers with no JSON ({error})", where=name) from error
    if not isinstance(value, dict):
        raise ScoreFailed("answers with JSON that is no object", where=name)
    return value
