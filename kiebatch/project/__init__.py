"""A folder on the disk, found, opened and checked; or as it was at a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.project.claims import Assignment as Assignment
    from kiebatch.project.claims import Found as Found
    from kiebatch.project.claims import claimed_by as claimed_by
    from kiebatch.project.digests import Digests as Digests
    from kiebatch.project.finding import SCENE_FILES as SCENE_FILES
    from kiebatch.project.finding import find as find
    from kiebatch.project.finding import local_path as local_path
    from kiebatch.project.finding import read_manifest as read_manifest
    from kiebatch.project.finding import read_notes as read_notes
    from kiebatch.project.finding import read_picks as read_picks
    from kiebatch.project.journals import open_film as open_film
    from kiebatch.project.journals import team_here as team_here
    from kiebatch.project.opening import Opened as Opened
    from kiebatch.project.opening import as_known_here as as_known_here
    from kiebatch.project.opening import attempts_of as attempts_of
    from kiebatch.project.opening import joined_files as joined_files
    from kiebatch.project.opening import load as load
    from kiebatch.project.opening import load_catalogue as load_catalogue
    from kiebatch.project.opening import located as located
    from kiebatch.project.opening import open_project as open_project
    from kiebatch.project.opening import peek as peek
    from kiebatch.project.opening import read_document as read_document
    from kiebatch.project.pins import Pins as Pins
    from kiebatch.project.pins import lock_path as lock_path
    from kiebatch.project.pins import repinned as repinned
    from kiebatch.project.references import OUTSIDE as OUTSIDE
    from kiebatch.project.snapshots import Snapshot as Snapshot
    from kiebatch.project.snapshots import diff as diff
    from kiebatch.project.validating import Validation as Validation
    from kiebatch.project.validating import validate as validate

__getattr__, __dir__ = face(
    __name__,
    {
        "Assignment": "claims",
        "Digests": "digests",
        "Found": "claims",
        "OUTSIDE": "references",
        "Opened": "opening",
        "SCENE_FILES": "finding",
        "Pins": "pins",
        "Snapshot": "snapshots",
        "Validation": "validating",
        "attempts_of": "opening",
        "claimed_by": "claims",
        "diff": "snapshots",
        "find": "finding",
        "as_known_here": "opening",
        "joined_files": "opening",
        "load": "opening",
        "load_catalogue": "opening",
        "located": "opening",
        "local_path": "finding",
        "lock_path": "pins",
        "open_film": "journals",
        "open_project": "opening",
        "team_here": "journals",
        "peek": "opening",
        "read_document": "opening",
        "read_manifest": "finding",
        "read_notes": "finding",
        "read_picks": "finding",
        "repinned": "pins",
        "validate": "validating",
    },
)
