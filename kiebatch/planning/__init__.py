"""What a run would do, why, and for how much. Sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.planning.contents import NotMade as NotMade
    from kiebatch.planning.contents import Wanted as Wanted
    from kiebatch.planning.contents import outlasts as outlasts
    from kiebatch.planning.contents import wanted as wanted
    from kiebatch.planning.decision import Asked as Asked
    from kiebatch.planning.decision import There as There
    from kiebatch.planning.decision import decide as decide
    from kiebatch.planning.decision import failed_for_good as failed_for_good
    from kiebatch.planning.decision import held_elsewhere as held_elsewhere
    from kiebatch.planning.decision import of_another_film as of_another_film
    from kiebatch.planning.decision import put_back as put_back
    from kiebatch.planning.decision import stored_key as stored_key
    from kiebatch.planning.decision import unrecorded as unrecorded
    from kiebatch.planning.decision import whole as whole
    from kiebatch.planning.effects import Approval as Approval
    from kiebatch.planning.effects import Effects as Effects
    from kiebatch.planning.file_warnings import jobs_as_json as jobs_as_json
    from kiebatch.planning.order import levels as levels
    from kiebatch.planning.order import output_of as output_of
    from kiebatch.planning.order import upstream_first as upstream_first
    from kiebatch.planning.planning import plan as plan
    from kiebatch.planning.planning import planned as planned
    from kiebatch.planning.plans import Action as Action
    from kiebatch.planning.plans import Entry as Entry
    from kiebatch.planning.plans import Facts as Facts
    from kiebatch.planning.plans import Plan as Plan
    from kiebatch.planning.plans import Reason as Reason
    from kiebatch.planning.plans import Selection as Selection
    from kiebatch.planning.plans import most as most
    from kiebatch.planning.plans import price_of as price_of
    from kiebatch.planning.saved import check_bound as check_bound
    from kiebatch.planning.saved import read_plan as read_plan
    from kiebatch.planning.saved import save_plan as save_plan
    from kiebatch.planning.statuses import ProjectStatus as ProjectStatus
    from kiebatch.planning.statuses import SlotStatus as SlotStatus
    from kiebatch.planning.statuses import status as status
    from kiebatch.planning.verdicts import Assessment as Assessment
    from kiebatch.planning.verdicts import Rule as Rule
    from kiebatch.planning.verdicts import Verdict as Verdict
    from kiebatch.planning.verdicts import assess as assess
    from kiebatch.planning.verdicts import preflight as preflight
    from kiebatch.planning.verdicts import thresholds as thresholds

__getattr__, __dir__ = face(
    __name__,
    {
        "Action": "plans",
        "Approval": "effects",
        "Asked": "decision",
        "Assessment": "verdicts",
        "Effects": "effects",
        "Entry": "plans",
        "Facts": "plans",
        "Plan": "plans",
        "ProjectStatus": "statuses",
        "Reason": "plans",
        "Rule": "verdicts",
        "Selection": "plans",
        "SlotStatus": "statuses",
        "There": "decision",
        "Verdict": "verdicts",
        "NotMade": "contents",
        "Wanted": "contents",
        "assess": "verdicts",
        "check_bound": "saved",
        "decide": "decision",
        "failed_for_good": "decision",
        "held_elsewhere": "decision",
        "of_another_film": "decision",
        "jobs_as_json": "file_warnings",
        "levels": "order",
        "most": "plans",
        "outlasts": "contents",
        "output_of": "order",
        "plan": "planning",
        "planned": "planning",
        "preflight": "verdicts",
        "price_of": "plans",
        "read_plan": "saved",
        "save_plan": "saved",
        "status": "statuses",
        "put_back": "decision",
        "stored_key": "decision",
        "thresholds": "verdicts",
        "unrecorded": "decision",
        "upstream_first": "order",
        "wanted": "contents",
        "whole": "decision",
    },
)
