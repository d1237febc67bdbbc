"""Puts together what is seen of this host."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from shutil import which

from adapters import __version__
from adapters.linux.process import privileged
from adapters.survey import engines, software
from domain.diagnosis.host import BoardFacts, Host, ProcessorFacts
from domain.errors import RemoteprocError, reason
from domain.ports import Leases, SurveyedBoard

_SOURCES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class HostSurvey:
    """What `doctor` looks at. `board` is called once: its file may have a mistake."""

    def __init__(
        self, board: Callable[[], SurveyedBoard], leases: Leases, run_directory: str
    ) -> None:
        self._board = board
        self._leases = leases
        self._run_directory = run_directory

    def host(self) -> Host:
        """Look, and return what was seen; what cannot be seen is a problem there, and no error."""
        from pwd import getpwuid

        uid = os.geteuid()
        try:
            user = getpwuid(uid).pw_name
        except KeyError:
            user = str(uid)
        return Host(
            self._facts(),
            __version__,
            python=tuple(sys.version_info[:3]),
            packages=software.packages(),
            bytecode_problem=software.bytecode_problem(_SOURCES),
            run_directory=self._run_directory,
            run_problem=_unusable(self._run_directory),
            engines=engines.engines(),
            kubelet=which("kubelet") is not None,
            containerd_knows_us=engines.containerd_knows_us(),
            user=user,
            privileged=privileged(),
            subordinate_ids=software.subordinate_ids(user, uid),
            runtime_directory="XDG_RUNTIME_DIR" in os.environ,
        )

    def _facts(self) -> BoardFacts:
        try:
            facts = self._board().facts()
            processors = tuple(map(self._with_owner, facts.processors))
        except RemoteprocError as error:
            return BoardFacts(problem=str(error))
        return facts._replace(processors=processors)

    def _with_owner(self, each: ProcessorFacts) -> ProcessorFacts:
        owner, left = self._leases.owner(each.device), self._leases.left(each.device)
        if owner is not None:
            return each._replace(owner=owner.title)
        return each._replace(left_by=left[0].title) if left else each


def _unusable(directory: str) -> str:
    """Return why no file can be made in a directory, `` if one can; it may be made first."""
    place = directory
    while not os.path.lexists(place) and place != "/":
        place = os.path.dirname(place)
    try:
        if os.statvfs(place).f_flag & os.ST_RDONLY:
            return f"{place} is on a read-only file system"
    except OSError as error:
        return f"{place}: {reason(error)}"
    if not os.path.isdir(place):
        return f"{place} is no directory"
    if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
        return f"this user may not write {place}"
    return ""
