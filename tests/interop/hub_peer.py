"""What Python's side of tests/interop/hub_suite.py runs: fetches a model's files, or reads them offline, and prints the folder.

    hub_peer.py fetch|offline REPO CACHE
"""
import os
import sys

what, repo, cache = sys.argv[1:]
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
if what == "offline":
    os.environ["HF_HUB_OFFLINE"] = "1"
import huggingface_hub  # noqa: E402

NAMES = ["config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"]
for name in NAMES:
    path = huggingface_hub.hf_hub_download(repo, name, cache_dir=cache)
# That there is no such file is remembered too, whoever found out.
gone = huggingface_hub.try_to_load_from_cache(repo, "chat_template.jinja", cache_dir=cache)
print(os.path.dirname(path), "absent" if gone is huggingface_hub._CACHED_NO_EXIST else "unknown")
