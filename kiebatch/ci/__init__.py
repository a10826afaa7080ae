"""What a CI job and a pull request read."""

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.ci.documents import SUMMARY_BYTES as SUMMARY_BYTES
    from kiebatch.ci.documents import annotations as annotations
    from kiebatch.ci.documents import bounded as bounded
    from kiebatch.ci.documents import code as code
    from kiebatch.ci.documents import harmless as harmless
    from kiebatch.ci.documents import markdown as markdown
    from kiebatch.ci.documents import summary as summary
    from kiebatch.ci.documents import unmet as unmet
    from kiebatch.ci.documents import unmet_words as unmet_words
    from kiebatch.ci.junit_xml import junit as junit

__getattr__, __dir__ = face(
    __name__,
    {
        "SUMMARY_BYTES": "documents",
        "annotations": "documents",
        "bounded": "documents",
        "code": "documents",
        "harmless": "documents",
        "junit": "junit_xml",
        "markdown": "documents",
        "summary": "documents",
        "unmet": "documents",
        "unmet_words": "documents",
    },
)
