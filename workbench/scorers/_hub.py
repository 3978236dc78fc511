"""From a model's name to a folder on this disk: given as one, in the hub's cache, or downloaded with its progress said.

Knows nothing of what is in the folder beyond the names of files a scorer reads: never pickles.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import ModelUnavailable
from workbench.scorers._json import read_json

FILES = [
    "*.json",
    "*.safetensors",
    "*.jinja",
    "*/*.jinja",
    "[0-9]_*/*.json",
    "[0-9]_*/*.safetensors",
    "merges.txt",
    "vocab.txt",
    "*.model",
]  # what a scorer reads; never pickles
HUB_SECONDS = 4.0  # with what stands around it within five
Report = Callable[[str], None]


def locate(name: str, folders: bool, report: Report) -> tuple[Path, str]:
    path = Path(name).expanduser()
    if path.is_dir() and folders:
        return path, ""
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or "\\" in name:
        hint = "Give the folder of a checkpoint, or a hub name such as Qwen/Qwen3-Reranker-0.6B."
        raise ModelUnavailable("is neither a folder here nor a hub name", where=name, hint=hint)
    return _from_hub(name, report)


def at_hand(name: str) -> Path | None:
    """The folder of a tokenizer on this disk: a path, or a hub name whose snapshot is cached. Asks no hub.

    The name may come from a stranger's server, so a share of another machine is never looked at.
    """
    from huggingface_hub import snapshot_download

    if not name or name.startswith(("//", "\\\\", "~")):
        return None
    folder = Path(name)
    try:
        if not folder.is_absolute() and name.count("/") == 1:
            folder = Path(snapshot_download(name, allow_patterns=FILES, local_files_only=True))
        return folder if folder.is_absolute() and (folder / "tokenizer.json").is_file() else None
    except (OSError, ValueError):  # not cached, or no name at all
        return None


def _from_hub(name: str, report: Report) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES, local_files_only=True))
        if _whole(folder):
            return folder, folder.name
    except (LocalEntryNotFoundError, OSError, ValueError):
        pass
    _reach(name)
    report(f"Downloading {name}")
    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES, tqdm_class=_progress(name, report)))
    except Exception as error:  # the hub client raises many kinds; each is said with its own words
        raise ModelUnavailable(
            f"could not be downloaded ({_short(error)})", where=name, hint=_ways_out(name)
        ) from error
    return folder, folder.name


def _whole(folder: Path) -> bool:
    """Whether all weight files are there: a download may have been interrupted between two of them."""
    index = read_json(folder / "model.safetensors.index.json")
    names = set(index["weight_map"].values()) if index else {"model.safetensors"}
    return all((folder / n).is_file() for n in names)


def _reach(name: str) -> None:
    """Asks the hub about a model: the question that tells quickly whether it answers at all, and has it."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    pool = concurrent.futures.ThreadPoolExecutor(1)  # the client's own timeout does not cover all of a connection
    try:
        pool.submit(HfApi().model_info, name, timeout=HUB_SECONDS).result(timeout=HUB_SECONDS)
    except GatedRepoError as error:
        hint = "Accept its terms on its page and set HF_TOKEN."
        raise ModelUnavailable(
            "is gated: the hub wants an accepted licence and a token", where=name, hint=hint
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelUnavailable("is not on the hub (or is private)", where=name, hint=_ways_out(name)) from error
    except Exception as error:
        why = f"is not on this machine, and the model hub cannot be reached ({_short(error)})"
        raise ModelUnavailable(why, where=name, hint=_ways_out(name)) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ways_out(name: str) -> str:
    return (
        "Ways out: give a folder that holds the checkpoint; set HF_ENDPOINT to a mirror you can reach; or download it "
        f"elsewhere with `hf download {name}` and copy the folder."
    )


def _short(error: BaseException) -> str:
    """Why a hub did not serve, in a few words of ours where the case is a common one."""
    kind, text = type(error).__name__, str(error).strip().split("\n")[0]
    if "Offline" in kind:
        return "HF_HUB_OFFLINE is set"
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return "no answer in time"
    return "no connection" if "Connect" in kind else f"{kind}: {text[:160]}" if text else kind


def _progress(name: str, report: Report) -> type[Any]:
    """A tqdm class for the hub client that passes the share of bytes on to `report`."""
    from huggingface_hub.utils import tqdm

    class Reporting(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.done, self.counts_bytes = 0.0, options.get("unit") == "B"  # a bar that is not drawn keeps neither

        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            self.done += n or 0
            if self.counts_bytes and self.total:
                report(f"Downloading {name}: {100 * self.done / self.total:.0f} % of {self.total / 1e9:.1f} GB")
            return drawn  # type: ignore[no-any-return]

    return Reporting
