"""OpenRouterService: speaks to language models through OpenRouter, and to nothing else.

Owns: the OpenRouter vendor (client.py, over the connections of http.py); the process-local streams
that durable steps read (streams.py); the catalogue of models (catalogue.py); what a config may ask
of them (limits.py), what an answer may cost (purse.py) and which form it is to have
(answer_format.py); how many tokens a text is about (tokens.py).

Called by: LLMGateway (ListModels). GenerationWorkflow and CompletionService read streams.py in
their own steps, because a stream cannot cross the log. ConversationActor and CompletionService ask
the catalogue, which never waits for the vendor, and take a place among the streams, in theirs.

Calls: nobody; OpenRouter over HTTP (client.py, which knows no Restate).

Retries: REQUEST for bugs; expected failures of the vendor are values of steps.

Failure: a reason of reasons.py for each way in which a model can fail; without a key
UNAVAILABLE / openrouter.not_configured.
"""
