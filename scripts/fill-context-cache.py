"""Puts the JSON-LD context of RO-Crate 1.2 (CC0) into the cache of roc-validator, which would fetch it from the web.

usage: fill-context-cache.py CACHE CONTEXT.JSON
"""

import io
import sys

import requests
import requests_cache
import urllib3

URL = "https://w3id.org/ro/crate/1.2/context"
cache, context = sys.argv[1:]


class FileAdapter(requests.adapters.HTTPAdapter):
    """Answers every request with the file."""

    def send(self, request, **_):
        with open(context, "rb") as file:
            body = io.BytesIO(file.read())
        headers = {"Content-Type": "application/ld+json"}
        raw = urllib3.HTTPResponse(body=body, headers=headers, status=200, preload_content=False, request_url=request.url)
        return self.build_response(request, raw)


session = requests_cache.CachedSession(cache_name=cache, expire_after=-1, backend="sqlite")
session.mount("https://", FileAdapter())
session.get(URL)
