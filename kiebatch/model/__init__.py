"""The nouns, as frozen dataclasses: what a person wrote, what is wanted, what the provider answered, what is.

The words are those of the contract, section 1.  Nothing here does I/O or reads a clock.
"""

from __future__ import annotations

from kiebatch.model.expectations import Alike as Alike
from kiebatch.model.expectations import Expectation as Expectation
from kiebatch.model.expectations import Passes as Passes
from kiebatch.model.expectations import Sized as Sized
from kiebatch.model.expectations import Within as Within
from kiebatch.model.fingerprints import as_before as as_before
from kiebatch.model.fingerprints import fingerprint as fingerprint
from kiebatch.model.fingerprints import fingerprint_as_written as fingerprint_as_written
from kiebatch.model.fingerprints import is_written_plainly as is_written_plainly
from kiebatch.model.fingerprints import normal as normal
from kiebatch.model.fingerprints import recorded_texts as recorded_texts
from kiebatch.model.fingerprints import same_words as same_words
from kiebatch.model.jobs import FRAME_S as FRAME_S
from kiebatch.model.jobs import USD_PER_CREDIT as USD_PER_CREDIT
from kiebatch.model.jobs import Job as Job
from kiebatch.model.jobs import Led as Led
from kiebatch.model.jobs import Media as Media
from kiebatch.model.jobs import Price as Price
from kiebatch.model.jobs import PriceKind as PriceKind
from kiebatch.model.numbers import as_number as as_number
from kiebatch.model.numbers import tidy as tidy
from kiebatch.model.refs import LocalFile as LocalFile
from kiebatch.model.refs import Ref as Ref
from kiebatch.model.refs import RoleMedia as RoleMedia
from kiebatch.model.refs import ShotOutput as ShotOutput
from kiebatch.model.refs import WebURL as WebURL
from kiebatch.model.refs import canonical_url as canonical_url
from kiebatch.model.results import Asset as Asset
from kiebatch.model.results import Attempt as Attempt
from kiebatch.model.results import MediaFacts as MediaFacts
from kiebatch.model.results import job_of as job_of
from kiebatch.model.results import job_record as job_record
from kiebatch.model.rows import Row as Row
from kiebatch.model.rows import row_of as row_of
from kiebatch.model.scenes import Ask as Ask
from kiebatch.model.scenes import Character as Character
from kiebatch.model.scenes import Document as Document
from kiebatch.model.scenes import Line as Line
from kiebatch.model.scenes import Project as Project
from kiebatch.model.scenes import Scene as Scene
from kiebatch.model.scenes import Shot as Shot
from kiebatch.model.slots import SceneId as SceneId
from kiebatch.model.slots import ShotId as ShotId
from kiebatch.model.slots import Slot as Slot
from kiebatch.model.slots import natural as natural
from kiebatch.model.slots import parse_slot as parse_slot
from kiebatch.model.slots import selects as selects
from kiebatch.model.wire import Absent as Absent
from kiebatch.model.wire import Done as Done
from kiebatch.model.wire import Output as Output
from kiebatch.model.wire import Reply as Reply
from kiebatch.model.wire import Request as Request
from kiebatch.model.wire import Running as Running
from kiebatch.model.wire import Status as Status
from kiebatch.model.wire import TaskFailed as TaskFailed
from kiebatch.model.words import ASSET_FOLDERS as ASSET_FOLDERS
from kiebatch.model.words import JSON as JSON
from kiebatch.model.words import ROLES as ROLES
from kiebatch.model.words import Enhance as Enhance
from kiebatch.model.words import Modality as Modality
from kiebatch.model.words import Path as Path
from kiebatch.model.words import Rate as Rate
from kiebatch.model.words import Role as Role
from kiebatch.model.words import as_form as as_form
from kiebatch.model.words import as_json as as_json
from kiebatch.model.words import as_list as as_list
from kiebatch.model.words import as_mapping as as_mapping
from kiebatch.model.words import as_text as as_text
from kiebatch.model.words import json_of as json_of
from kiebatch.model.words import stamp as stamp
from kiebatch.model.words import under as under
