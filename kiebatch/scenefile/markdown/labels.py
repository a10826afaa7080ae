"""What a Markdown scene file calls its keys and headings, in nine languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

# One line per key: English first, then German, Dutch, French, Spanish, Portuguese, Chinese, Japanese, Korean.
_KEYS: Mapping[str, str] = {
    "prompt": "prompt | instrucción | 提示词, 提示詞, 提示, 正向提示词 | プロンプト | 프롬프트",
    "visual": "visual, visuals | bild | beeld | visuel | imagen | imagem | 画面, 畫面, 视觉, 視覺 | ビジュアル, 映像 | 화면, 비주얼",
    "image_prompt": "image prompt | bildprompt, bild prompt | beeldprompt | prompt image | prompt de imagen | prompt de imagem | 图片提示词, 图像提示词, 圖片提示詞 | 画像プロンプト | 이미지 프롬프트",
    "video_prompt": "video prompt | videoprompt | prompt vidéo | prompt de vídeo, prompt de video | 视频提示词, 影片提示詞 | 動画プロンプト | 영상 프롬프트, 비디오 프롬프트",
    "model": "model, models | modell, modelle | modellen | modèle, modèles | modelo, modelos | 模型 | モデル | 모델",
    "image_model": "image model | bildmodell | beeldmodel | modèle image | modelo de imagen | modelo de imagem | 图片模型 | 画像モデル | 이미지 모델",
    "video_model": "video model | videomodell | videomodel | modèle vidéo | modelo de vídeo, modelo de video | 视频模型 | 動画モデル | 영상 모델",
    "audio_model": "audio model | audiomodell | audiomodel | modèle audio | modelo de audio, modelo de áudio | 音频模型 | 音声モデル | 오디오 모델",
    "type": "type | typ | soort | tipo | 类型, 類型 | 種類, タイプ | 유형, 타입",
    "duration": "duration | dauer, länge | duur | durée | duración | duração | 时长, 時長 | 尺, 長さ, 時間 | 길이, 시간",
    "head": "head | vorlauf",
    "tail": "tail | nachlauf",
    "takes": "takes, take | fassungen | opnames | prises | tomas | tomadas | 次数, 條數 | テイク | 테이크",
    "style": "style | stil | stijl | estilo | 风格, 風格 | スタイル | 스타일",
    "characters": "characters, character | figuren, figur | personages, personage | personnages, personnage | personajes, personaje | personagens, personagem | 角色, 人物 | 登場人物, キャラクター | 등장인물, 캐릭터",
    "references": "references, reference, reference images, reference image | referenzen, referenz | referenties, referentie | références, référence | referencias, referencia | referências, referência | 参考图, 參考圖, 参考 | 参照, 参考画像 | 참조, 레퍼런스",
    "start_frame": "start frame | startbild | beginbeeld | image de début | fotograma inicial | quadro inicial | 首帧, 首幀 | 開始フレーム | 시작 프레임",
    "end_frame": "end frame | endbild | eindbeeld | image de fin | fotograma final | quadro final | 尾帧, 尾幀 | 終了フレーム | 끝 프레임",
    "mask": "mask | maske | masker | masque | máscara | 蒙版, 遮罩 | マスク | 마스크",
    "source": "source | quelle | bron | fuente | fonte | 来源, 來源, 源 | ソース, 元画像 | 원본, 소스",
    "size": "size/ratio, size, ratio, aspect ratio, aspect | seitenverhältnis, bildformat | beeldverhouding | format d'image | relación de aspecto, proporción | proporção | 画幅比例, 画幅, 比例, 尺寸 | アスペクト比, 画面比率 | 화면비, 비율",
    "seed": "seed | graine | semilla | semente | 种子, 種子 | シード | 시드",
    "negative_prompt": "negative prompt, negative prompts, negative, avoid | negativ, negativprompt, negativer prompt, vermeiden | negatief, negatieve prompt, vermijden | prompt négatif, négatif, éviter | prompt negativo, negativo, evitar | 负面提示词, 負面提示詞, 反向提示词, 避免 | ネガティブプロンプト, ネガティブ | 네거티브 프롬프트, 네거티브",
    "camera": "camera | kamera | caméra | cámara | câmera, câmara | 镜头, 鏡頭, 运镜, 運鏡 | カメラ | 카메라",
    "text_overlay": "text overlay | texteinblendung, einblendung | tekst in beeld | texte à l'écran | texto en pantalla | texto na tela, texto no ecrã | 字幕, 屏幕文字 | テロップ | 자막",
    "voiceover": "voiceover, voice over, vo | sprecher, sprechertext | voice-over | voix off | voz en off | narração, voz off | 旁白 | ナレーション | 내레이션, 나레이션",
    "voice": "voice | stimme | stem | voix | voz | 声音, 聲音, 音色 | 声 | 목소리",
    "music": "music | musik | muziek | musique | música | 音乐, 音樂 | 音楽 | 음악",
    "sound_effects": "sound effects, sound effect, sfx | geräusche, soundeffekte | geluidseffecten | effets sonores | efectos de sonido | efeitos sonoros | 音效 | 効果音 | 효과음",
    "audio": "audio | ton | geluid | son | sonido | som, áudio | 音频, 音頻 | 音声, 音響 | 오디오, 소리",
    "transition": "transition, transition out | übergang | overgang | transición | transição | 转场, 轉場 | トランジション | 전환",
    "output": "output | ausgabe | uitvoer | sortie | salida | saída | 输出, 輸出 | 出力 | 출력",
    "endpoint": "endpoint",
    "fallback": "fallback | ersatzmodell | reservemodel | repli | alternativa | 备用模型, 備用模型 | 代替モデル | 대체 모델",
    "notes": "notes, note | notizen, notiz, anmerkungen, anmerkung | opmerkingen, opmerking, notities | remarques, remarque | notas, nota | observações, observação | 备注, 備註 | メモ, 備考 | 메모, 비고",
    "skip": "skip | überspringen | overslaan | ignorer | omitir, saltar | pular, ignorar | 跳过, 跳過 | スキップ | 건너뛰기",
    "title": "title",
    "group": "group",
    "ignore_warnings": "ignore warnings",
    "dialogue": "dialogue, dialog | dialoge | dialoog | dialogues | diálogo, diálogos | 对白, 對白, 台词, 台詞 | セリフ, 台詞 | 대사",
    "action": "action | handlung, aktion | handeling | acción | ação | 动作, 動作 | アクション, 動き | 행동, 액션",
    "location": "location | ort, drehort, schauplatz | locatie, plaats | lieu, décor | lugar, localización | local, localização | 地点, 地點 | 場所, ロケーション | 장소",
    "time_of_day": "time of day | tageszeit | tijdstip, moment van de dag | moment de la journée | momento del día, hora del día | período do dia, hora do dia | 时段, 時段 | 時間帯 | 시간대",
    "shot_size": "shot size, shot type, framing | einstellungsgröße | kadrering, beelduitsnede | valeur de plan, cadrage | tamaño de plano, encuadre | tamanho do plano, enquadramento | 景别, 景別 | ショットサイズ | 샷 사이즈",
    "lens": "lens | objektiv, brennweite | lens, objectief | objectif, focale | objetivo, lente | objetiva | 焦距, 镜头焦距 | レンズ | 렌즈",
    "tags": "tags | schlagworte, stichworte | trefwoorden | étiquettes, mots-clés | etiquetas | etiquetas | 标签, 標籤 | タグ | 태그",
    "preset": "preset",
    "enhance": "enhance",
    "extra_params": "extra params",
    "expect": "expect",
}
# Keys for people: a misspelt one costs nothing, so it is a warning and no error.
NEVER_SENT = frozenset(
    [
        "title",
        "group",
        "notes",
        "camera",
        "text_overlay",
        "transition",
        "dialogue",
        "action",
        "location",
        "time_of_day",
        "shot_size",
        "lens",
        "tags",
        "preset",
        "enhance",
        "expect",
    ]
)

_HEADINGS: Mapping[str, str] = {
    "scene": "scene, frame, beat | szene | scène | escena | cena | 场景, 場景, 场, 場, 場面 | シーン | 씬, 장면, s#",
    "shot": "shot | einstellung | plan | plano | 镜头, 鏡頭 | カット, ショット | 컷, 샷, 쇼트",
    "group": "act, sequence | akt, sequenz | akte, sequentie | acte, séquence | acto, secuencia | ato, sequência | 幕, 序列 | シークエンス | 막, 시퀀스",
}

_SECTIONS: Mapping[str, str] = {
    "characters": "characters | figuren | personages | personnages | personajes | personagens | 角色, 人物 | 登場人物, キャラクター | 등장인물, 캐릭터",
    "styles": "styles | stile | stijlen | estilos | 风格集 | スタイル一覧 | 스타일들",
    "style": "style | stil | stijl | estilo | 风格, 風格 | スタイル | 스타일",
    "negative_prompt": "negative prompt, negative prompts | negativprompt, negativer prompt | negatieve prompt | prompt négatif | prompt negativo | 负面提示词, 負面提示詞 | ネガティブプロンプト | 네거티브 프롬프트",
    "defaults": "defaults | vorgaben | standaardwaarden | valeurs par défaut, réglages | valores por defecto | valores padrão | 默认, 預設 | 既定値, デフォルト | 기본값",
}

_PARTS: Mapping[str, str] = {
    "visual": "visual | bild | beeld | visuel | 画面 | ビジュアル | 화면",
    "video": "video | vidéo | vídeo | 视频 | 動画 | 영상",
    "audio": "audio | ton | geluid | son | sonido | áudio | 音频 | 音声 | 오디오",
    "voiceover": "voiceover, voice over | sprecher | voix off | voz en off | narração | 旁白 | ナレーション | 내레이션",
    "music": "music | musik | muziek | musique | música | 音乐 | 音楽 | 음악",
    "sound_effects": "sound effects, sfx | geräusche | geluidseffecten | effets sonores | efectos de sonido | efeitos sonoros | 音效 | 効果音 | 효과음",
}

_TYPES: Mapping[str, str] = {
    "image": "image, still, picture, photo | bild | beeld | imagen | imagem | 图片, 图像, 圖片 | 画像, 静止画 | 이미지",
    "video": "video, video clip, clip | vidéo | vídeo | 视频, 影片 | 動画, 映像 | 영상, 동영상, 비디오",
    "audio": "audio, sound, voice, music | ton | geluid | son | sonido | áudio | 音频, 音頻 | 音声 | 오디오",
}

# Columns of a shot table that name its rows, or say when they run.
_COLUMNS: Mapping[str, str] = {
    "id": "#, nr, nr., no, no., number, id, shot, shot #, shot no, shot id | einstellung | plan | plano | 镜头, 镜号, 鏡號, 编号 | カット, 番号 | 컷, 번호",
    "scene": "scene, scene # | szene | scène | escena | cena | 场景, 场次 | シーン | 씬, 장면",
    "time": "time, timing, timecode, time code, tc | zeit | tijd | temps | tiempo | tempo | 时间, 時間 | 時間 | 시간",
}

# Names of an id column that 0.1 did not know.
LATER_ID_COLUMNS = frozenset({"slot", "ref", "clip", "key"})

# Tools whose name before `prompt` says what the prompt makes.
_TOOLS: Mapping[str, str] = {
    "video": "kling, veo, runway, gen 4, gen 3, aleph, hailuo, minimax, seedance, sora, luma, dream machine, ray, pika, "
    "wan, higgsfield, ltx, vidu, pixverse, hunyuan, happy horse, grok imagine video, image to video, i2v, t2v, "
    "text to video",
    "image": "midjourney, mj, flux, imagen, dall e, dalle, gpt image, gpt 4o image, 4o image, 4o, chatgpt, nano banana, "
    "gemini image, seedream, ideogram, stable diffusion, sdxl, sd, firefly, recraft, leonardo, qwen image, qwen, "
    "z image, krea, grok imagine, grok, text to image, t2i, kontext, flux kontext, comfyui",
}

_NOTHING = """
- – — none n/a na tbd todo ... … ? keine keiner geen aucun aucune ninguno ninguna nenhum nenhuma 无 無 なし 없음
"""
NOTHING = frozenset(_NOTHING.split())
"""Values with which a writer says that there is none."""

_NOT_IDS = """
overview list lists breakdown index summary notes plan order structure template format guide sheet rate rates
size sizes ratio description descriptions details outline table
"""
NOT_IDS = frozenset(_NOT_IDS.split())
"""Words behind `Scene` or `Frame` that are not an id."""


@lru_cache(maxsize=4096)
def canonical(label: str) -> str:
    """Return a label as it is compared: no case, spaces, `_`, `-`, marks of emphasis or width."""
    text = unicodedata.normalize("NFKC", label).casefold().strip("*_`~ \t:")
    return re.sub(r"[\s_\-\u200b\u00a0’']+", "", text)


def _table(source: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, words in source.items():
        for word in re.split(r"[,|]", words):
            found.setdefault(canonical(word), key)
    return found


def _english(source: Mapping[str, str]) -> dict[str, str]:
    return {
        canonical(word): word.strip()
        for words in source.values()
        for word in words.split("|")[0].split(",")
        if word.strip()
    }


def _tool_pattern(kind: str) -> re.Pattern[str]:
    """Return what a label's canonical form looks like: `klingprompt`, `kling26proprompt`, `veo3.1fastprompt`."""
    names = sorted((canonical(name) for name in _TOOLS[kind].split(",")), key=len, reverse=True)
    tool = "|".join(map(re.escape, names))
    versions = r"ai|video|image|v?\d[\d.]*|pro|fast|turbo|master|max|lite|ultra|standard|quality|dev"
    return re.compile(rf"(?:{tool})(?:{tool}|{versions})*prompts?")


TOOL_PROMPTS = {kind: _tool_pattern(kind) for kind in _TOOLS}
# Any other label that ends so may be meant as a prompt: `Old prompt`, `System prompt`.
NEAR_PROMPT = re.compile(r"(?i)prompts?$|提示词$|提示詞$|プロンプト$|프롬프트$")

KEYS = _table(_KEYS)
ENGLISH_KEYS = _english(_KEYS)
SECTIONS = _table(_SECTIONS)
PARTS = _table(_PARTS)
TYPES = _table(_TYPES)
COLUMNS = _table(_COLUMNS)
HEADING_WORDS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(word.strip() for word in re.split(r"[,|]", words)) for kind, words in _HEADINGS.items()
}


def one_edit_apart(a: str, b: str) -> bool:
    """Whether one letter added, left out, changed, or two neighbours swapped turn `a` into `b`."""
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest_a, rest_b = a[start:], b[start:]
    if len(a) == len(b):
        return rest_a[1:] == rest_b[1:] or (rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:])
    return rest_a[1:] == rest_b if len(a) > len(b) else rest_a == rest_b[1:]


def misspelt(label: str, known: Mapping[str, str]) -> str:
    """Return the known label that is one edit away, or nothing.  `known` maps canonical labels to written ones."""
    word = canonical(label)
    if word in known:
        return ""
    return next((written for other, written in known.items() if one_edit_apart(word, other)), "")
