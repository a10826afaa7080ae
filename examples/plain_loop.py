"""The script that kiebatch takes the place of: one picture for each line of a file.

python examples/plain_loop.py prompts.txt pictures

It skips what is there, and sends again what it got no answer to, as such scripts do. docs/coming-from.md counts what that costs.
"""

import json
import os
import sys
import time
from pathlib import Path

import httpx

web = httpx.Client(
    base_url=os.environ.get("KIE_BASE_URL", "https://api.kie.ai"),
    headers={"Authorization": f"Bearer {os.environ['KIE_API_KEY']}"},
)


def make(prompt: str) -> str:
    body = {"model": "nano-banana-2", "input": {"prompt": prompt}}
    for _ in range(3):
        answer = web.post("/api/v1/jobs/createTask", json=body)
        if answer.headers.get("content-type", "").startswith("application/json") and answer.json()["data"]:
            return str(answer.json()["data"]["taskId"])
    sys.exit(f"no answer: {answer.text[:80]}")


def result(task: str) -> str:
    while True:
        record = web.get("/api/v1/jobs/recordInfo", params={"taskId": task}).json()["data"]
        if record["state"] == "success":
            return str(json.loads(record["resultJson"])["resultUrls"][0])
        time.sleep(float(os.environ.get("POLL_S", "2")))


prompts, folder = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines(), Path(sys.argv[2])
folder.mkdir(exist_ok=True)
for number, prompt in enumerate(prompts, start=1):
    picture = folder / f"{number}.png"
    if not picture.exists():
        picture.write_bytes(httpx.get(result(make(prompt))).content)
        print(picture)
