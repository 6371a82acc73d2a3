#!/usr/bin/env python3
# hello.py - a CGI script that needs only the standard library.
# Try: /cgi/hello.py?name=you
import html
import os
import sys
from urllib.parse import parse_qs

query = parse_qs(os.environ.get("QUERY_STRING", ""))
name = query.get("name", ["world"])[0]

sys.stdout.write("Content-Type: text/html; charset=utf-8\r\n\r\n")
sys.stdout.write(f"<p>Hello {html.escape(name)} from Python, ")
sys.stdout.write(f"process {os.getpid()}.</p>\n")
