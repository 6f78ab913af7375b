"""LLMGateway: threads, messages, runs, events and completions, as clients call them.

Owns: nothing; it checks a request against its caller and makes one call down.

Called by: the edge, for `/api/v1/llm/gateway/*`.

Calls: ConversationActor, ConversationManagerActor, CompactionWorkflow (Outcome), OpenRouterService,
MCPService, ErasureService. Events and completions are served by the edge, which follows them on the
bus; it calls ConversationActor and CompletionService.

Retries: REQUEST: a client waits.

Failure: the error of what it called, unchanged. Methods of several calls (create, update, delete
and fork of a thread) may stop between two of them; each call is idempotent, so a repeat repairs
what was half done.
"""
