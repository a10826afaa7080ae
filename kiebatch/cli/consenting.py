"""The question before the first credit is spent, the same in every command that spends."""

from __future__ import annotations

from kiebatch.cli import console
from kiebatch.errors import Refused, counted
from kiebatch.planning import Plan, Rule, Verdict, assess
from kiebatch.running import session
from kiebatch.settings import Settings


def asks(chosen: Settings) -> session.Confirm:
    """Return what decides, before the first credit is spent, whether to go on.

    `--yes` and `--max-credits` are an answer.  KIEBATCH_YES is one, too, unless a threshold or the balance speaks.
    `Refused` where somebody has to be asked and there is no terminal.
    """

    def decide(question: session.Question) -> bool:
        todo = question.plan
        assessment = assess(todo, chosen, question.balance)
        reasons = [rule for rule in assessment.rules if rule.name != "consent"]
        for rule in reasons:
            console.say(said(rule))
        if assessment.verdict is not Verdict.CONFIRM:
            return assessment.verdict is not Verdict.REJECT
        total = total_of(todo)
        if not console.on_terminal():
            because = "".join(f"{rule.message}; " for rule in reasons if rule.verdict is Verdict.CONFIRM)
            raise Refused(
                f"{because}this run would submit {total}, and there is no terminal to ask on; nothing was sent",
                hint="add --yes, or better a cap with --max-credits N",
                code="no-consent",
            )
        console.say(plan_table(todo))
        if question.balance is not None:
            console.say(f"the balance is {console.number(question.balance)} credits")
        return console.ask(f"Submit {total}?")

    return decide


def said(rule: Rule) -> str:
    """Return what a rule says of a run, to the person who starts it."""
    if rule.verdict is Verdict.WARN:
        return f"warning: {rule.message}"
    return rule.message


def plan_table(todo: Plan) -> str:
    from kiebatch.cli.commands.plan import table  # only where somebody is asked

    return table(todo)


def total_of(todo: Plan) -> str:
    """Return how many jobs a plan submits and for how much, as a person reads it."""
    credits, unpriced = todo.credits(), todo.unpriced()
    jobs = counted(len(todo.generate), "job")
    text = f"{jobs} for up to {console.number(credits)} credits ({console.dollars(credits)})"
    return f"{text}, {unpriced} of them without a known price" if unpriced else text
