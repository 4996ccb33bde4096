"""What one studio is about: the network, data, store and runs that were named at its start, and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cached_property, wraps
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from lenrek.errors import OptionError
from lenrek.studio.calls import Calls, stoppable

if TYPE_CHECKING:
    from lenrek.data.source import Source
    from lenrek.search.store import Store
    from lenrek.studio.samples import Samples
    from lenrek.training.classifier import Classifier

WHO = "studio"
OWN_DATA = "digits"  # comes with a package that lenrek needs

Opened = TypeVar("Opened")


def once(open_: Callable[[Any], Opened]) -> cached_property[Opened]:
    """A property that is opened by the thread that asks for it first, while others wait."""
    name = open_.__name__

    @wraps(open_)
    def locked(session: Any) -> Opened:
        with session._lock:
            if name not in session.__dict__:
                session.__dict__[name] = open_(session)
            return session.__dict__[name]

    return cached_property(locked)


class Session:
    """Everything is opened when it is first asked for, and then kept.

    Args:
        model: an architecture (with random weights), a run's folder, a model file, or what `load_pretrained` takes;
            None for a studio without a network.
        data: what `lenrek train` takes; None is the data of the run where it comes with lenrek.
        store: of vectors, for nearest neighbours.
        runs: a run's folder, or one that holds runs; None where there is none.

    Attributes:
        token: what a page must know to be served.
        calls: where whatever computes is run.
    """

    def __init__(
        self,
        model: str | None = None,
        data: str | None = None,
        store: str | None = None,
        runs: Path | None = None,
    ) -> None:
        self.model_name, self.data_name, self.store_name, self.runs = model, data, store, runs
        self.token = secrets.token_urlsafe(24)
        self.calls = Calls()
        self._lock = RLock()

    @once
    def classifier(self) -> Classifier:
        """The network with its contract.

        Raises:
            OptionError: none was named.
            CheckpointError, ModelError: it cannot be read.
        """
        from lenrek.models.model_file import load_model
        from lenrek.models.pretrained import load_pretrained
        from lenrek.studio.fresh import fresh_network
        from lenrek.training.classifier import Classifier

        name = self.model_name
        if name is None:
            raise OptionError(f"{WHO}: no network was named.\n  Hint: lenrek studio MODEL, or a run's folder.")
        about: dict[str, Any] = {}
        if not self.trained:
            network = fresh_network(name, None if self.data_name is None else self.source)
        elif Path(name).exists():
            network, header = load_model(name)
            about = header.get("training", {})
        else:
            network = load_pretrained(name)
        stoppable(network)
        contract: Any = network.contract
        return Classifier(network, contract, str(network.architecture), about)

    @once
    def source(self) -> Source:
        """The data.

        Raises:
            OptionError: none was named.
            DataError: it cannot be read.
        """
        from lenrek.data.open import open_source

        if self.data_name is not None:
            return open_source(self.data_name)
        if self.model_name is not None and self.classifier.training.get("config", {}).get("data") == OWN_DATA:
            return self.own_data
        raise OptionError(f"{WHO}: no data was named.\n  Hint: lenrek studio MODEL --data DATA.")

    @once
    def own_data(self) -> Source:
        """The data that comes with lenrek."""
        from lenrek.data.open import open_source

        return open_source(OWN_DATA)

    @once
    def store(self) -> Store:
        """The store.

        Raises:
            OptionError: none was named.
            StoreError: it cannot be read.
        """
        from lenrek.search.store import open_store

        if self.store_name is None:
            raise OptionError(
                f"{WHO}: no store was named.\n  Hint: lenrek index DATA --model MODEL --out STORE makes one; then "
                "lenrek studio MODEL --store STORE."
            )
        return open_store(self.store_name)

    @property
    def trained(self) -> bool:
        """Whether the network's weights come from a file, and not from a generator of random numbers."""
        from lenrek.models.create import list_models
        from lenrek.models.pretrained import SHIPPED

        name = str(self.model_name)
        return name not in list_models() or Path(name).exists() or (SHIPPED / f"{name}.safetensors").exists()

    @once
    def samples(self) -> Samples:
        """Images and other samples that the page shows: of the data, and uploaded ones."""
        from lenrek.studio.samples import Samples

        return Samples(self)

    def about(self) -> dict[str, Any]:
        """What the page says of itself, without opening anything."""
        from lenrek import __version__
        from lenrek.data.shown import shown

        def named(name: str | None) -> str | None:
            return None if name is None else shown(name)

        return {
            "version": __version__,
            "model": named(self.model_name),
            "data": named(self.data_name),
            "store": named(self.store_name),
            "runs": None if self.runs is None else shown(self.runs),
        }
