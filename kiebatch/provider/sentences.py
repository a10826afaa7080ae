"""Reads the provider's texts: whether a text is about the job's input, a file that could not be fetched, or neither.

The texts are in English and Chinese, some models pass on those of other services.  Nothing here decides alone:
`policy` asks for a text only where the code leaves it open (protocol 1.6), `families.endpoint` only whether a failed
task may be tried again.  `tests/golden/answers.yaml` lists the sentences that were seen, each with its verdict.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_NO_CREDITS = re.compile(
    r"(?i)(credits?|balance).{0,40}(insufficient|not enough)|(insufficient|not enough).{0,40}(credits?|balance)"
    r"|(余额|积分|额度|点数)(不足|不够)"
)

_TOO_FAST = re.compile(
    r"(?i)frequency|rate.?limit|too (fast|frequent)|too many (requests|concurrent)|频率|限流|频繁"
)

_HIGH_DEMAND = re.compile(
    r"(?i)high demand|(currently|temporarily) (unavailable|overloaded)|at capacity|\boverloaded\b|系统繁忙|服务繁忙"
)

# Words of a service that is in trouble.  They win over everything below: such a text can come with an answer that
# was sent after the task was made and charged.
_TROUBLE = re.compile(
    r"(?i)\b(internal|server|system|service|gateway|upstream|network|database|unknown|unexpected)"
    r" (is |was )?(currently )?(errors?|exceptions?|busy|failure|fault|unavailable|overload(ed)?|timed? ?out)\b"
    r"|internal server|\w*exception\b|time[d-]? ?out|deadline exceeded|\bretr(y|ies)\b.*exceed|exceed.*\bretr(y|ies)\b"
    r"|try again later|retry later|cannot invoke|null ?pointer|traceback|undefined|stack ?trace"
    r"|high demand|overloaded|at capacity|\bqueue\b|concurren|rate.?limit|frequency|too (many requests|fast|frequent)"
    r"|\bquota\b|bad gateway|connection|upstream|response|(generation|generate|task|job|request) failed$"
    r"|系统(繁忙|异常|错误)|服务(器)?(繁忙|异常|错误|不可用)|稍后(再试|重试)|未知错误|超时|网络|内部错误|频率|限流|频繁|排队"
)

# A requirement, a limit, a range, a format or a type: somebody looked at the input and did not take it.
_REQUIREMENT = re.compile(
    r"(?i)(is|are) (required|missing|mandatory|invalid|illegal|incorrect|malformed|empty)\b|\b(missing|required) \w"
    r"|\b(must|should) (not )?(be|have|contain|match|start|end|include|exceed)\b"
    r"|\b(cannot|can ?not|can't|may not|must not|should not) (be|exceed|contain|have|use|combine)\b"
    r"|\bplease (enter|provide|upload|specify|select|choose|shorten|reduce|change|modify|check your (input|prompt))\b"
    r"|\b(not|un|isn't|aren't) ?(supported|allowed|permitted|valid|accepted|recogni[sz]ed)\b|does(n't| not) (match|support|accept|exist|allow)"
    r"|\b(invalid|illegal|malformed|wrong|incorrect|unknown|bad) (\w+ ){0,3}(param\w*|argument|value|input|field|option"
    r"|image|video|audio|file|format|type|url|size|length|duration|ratio|resolution|prompt|model|voice|language|seed)"
    r"|out of (the )?(\w+ )?range|not (in|within|among) (the )?|within the (\w+ )*(range|limit)|exceed(s|ed|ing)?\b"
    r"|too (long|short|large|small|big|many|few|high|low)\b|at (most|least)\b|\b(max(imum)?|min(imum)?)\b|up to \d"
    r"|\blimit(ed)? (to|of|is)\b|allowed (options|values|range)|\bonly (supports?|accepts?|allows?|one|\d)"
    r"|identified your task as"
)
_REQUIREMENT_ELSEWHERE = re.compile(
    r"不能为空|不可为空|必填|必须|不支持|超出|超过|过长|过短|过大|过小|太长|太短|太大|太小|最多|最少|上限|下限|范围|格式"
    r"|无效的?(参数|图片|视频|音频|链接|地址|模型|值)|(参数|图片|视频|音频|格式|尺寸|分辨率|时长|比例)(错误|无效|异常|不正确)"
    r"|非法|不合法|不符合|不允许|缺少|請輸入|不支援|必須"  # Chinese
    r"|必須|必要です|入力してください|サポートされていません|無効|超え|長すぎ|大きすぎ"  # Japanese
    r"|필수|지원되지|유효하지|초과"  # Korean
    r"|(?i:es obligatori|no (es )?(válid|compatible|permitid)|debe (ser|tener)|supera el)"  # Spanish
    r"|(?i:é obrigatóri|não (é )?(válid|suportad|permitid)|deve (ser|ter)|excede)"  # Portuguese
    r"|(?i:est (obligatoire|requis)|n'est pas (valide|pris en charge|autorisé)|doit (être|avoir)|dépasse)"  # French
    r"|(?i:ist erforderlich|nicht (gültig|unterstützt|erlaubt)|ungültig|überschreitet|muss .* sein)"  # German
    r"|(?i:обязательн|не поддерживается|недопустим|неверн(ый|ая|ое)|превышает)"  # Russian
)

# A verdict about what the words or pictures show.  It is final: the same job ends the same way.
_MODERATION = re.compile(
    r"(?i)sensitive|\bpolic(y|ies)\b|violat|copyright|nsfw|moderat|prohibited|flagged|inappropriate|unsafe|harmful"
    r"|safety (system|filter|review|check|polic)|content (filter|review|check)|celebrit|public figure|real (person|people)"
    r"|(input|prompt|image|content|photo|request) (was|were|has been|is) (rejected|blocked|refused|declined)"
    r"|likeness|existing (work|recording)"
    r"|敏感|违规|違規|违反|违法|审核|審核|色情|涉黄|版权|不适宜|不当"
    r"|不適切|ポリシー|부적절|정책|inapropiad|inadequad|inapproprié|unangemessen|неприемлем"
)

_FILE = r"(image|picture|photo|video|audio|file|media|url|link|resource|asset|attachment|upload)s?"
_FETCH = r"(fetch|download|retriev|access|load|read|open|reach)(e|ed|ing|es|s|al)?"
_UNFETCHED = re.compile(
    rf"(?i)\b{_FILE}\b.{{0,30}}\b{_FETCH}\b.{{0,20}}\b(fail|error|denied|forbidden|timed? ?out)"
    rf"|\b(fail(ed|s|ure)?|unable|could ?n[o']t|can ?not|can't|error|not able)\b.{{0,12}}\b{_FETCH}\b.{{0,40}}\b{_FILE}\b"
    rf"|\b{_FILE}\b.{{0,30}}\b(not|in|un|never) ?(accessible|reachable|downloadable|available)\b"
    rf"|\b{_FILE}\b.{{0,30}}\b(has |have |is |was )?expired\b|\b{_FILE}\b.{{0,30}}\bcan(not|'t| not) be {_FETCH}\b"
    r"|file upload api|unauthorized fetch|fetch failed"
    r"|(下载|获取|读取|访问|加载|拉取)(输入|参考)?(图片|图像|视频|音频|文件|素材|链接|资源)?[^。]{0,10}(失败|超时)"
    r"|(无法|不能)(下载|获取|读取|访问|加载|打开)|(图片|图像|视频|音频|文件|链接)[^。]{0,6}(失效|过期|无法访问|不可访问)"
)

_PASSING = re.compile(
    r"(?i)try again later|internal error|concurrent generations|server (error|exception|busy)|timed? ?out|overload"
    r"|high demand|系统繁忙|稍后(再试|重试)"
)
_PAUSED = re.compile(r"(?i)temporarily paused|is paused|暂停")


def says_no_credits(text: str) -> bool:
    """Whether a text says that the account's credits do not suffice."""
    return _found(_NO_CREDITS, text)


def says_too_fast(text: str) -> bool:
    """Whether a text says that requests come too fast."""
    return _found(_TOO_FAST, text)


def says_later(text: str) -> bool:
    """Whether a text says that the service takes no job at the moment, whatever the job is."""
    return _found(_HIGH_DEMAND, text)


def says_paused(text: str) -> bool:
    """Whether a text says that this model is switched off for a time."""
    return _found(_PAUSED, text)


def judged(text: str, fields: Collection[str] = ()) -> bool:
    """Whether a text is evidence that the input was judged and not taken.

    It names a limit, a range, a format, a length or a requirement, or is a verdict of moderation; or it names one of
    `fields`, the job's own, by a name that ordinary prose does not use (`image_urls`, `continueAt`).
    A text that speaks of trouble in the service is never such evidence.
    """
    if not text.strip():
        return False
    if says_unfetched(text):
        return True
    if _found(_MODERATION, text):
        return not _found(_HIGH_DEMAND, text)
    if _found(_TROUBLE, text):
        return False
    if _found(_REQUIREMENT, text) or _found(_REQUIREMENT_ELSEWHERE, text) or _found(_PAUSED, text):
        return True
    return any(re.search(rf"\b{re.escape(name)}\b", text) for name in fields if _technical(name))


def says_unfetched(text: str) -> bool:
    """Whether a text says that the provider could not fetch a file that the job named by its address."""
    return _found(_UNFETCHED, text)


def says_passing(text: str) -> bool:
    """Whether a text says that the trouble may pass by itself."""
    return _found(_PASSING, text)


def says_final(text: str) -> bool:
    """Whether a text says that the same input would end the same way: what it asks for was judged."""
    return judged(text) and not says_unfetched(text)


def _technical(name: str) -> bool:
    return "_" in name or bool(re.search(r"[a-z][A-Z]", name))


_READ = (
    2000  # characters of a sentence; beyond that it is none, and some of these patterns take quadratic time
)


def _found(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.search(text[:_READ]) is not None
