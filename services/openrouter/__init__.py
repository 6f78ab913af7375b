"""Speaks to language models through OpenRouter, and to nothing else.

Owns: the OpenRouter vendor; the process-local streams that durable steps read (streams.py).
"""
