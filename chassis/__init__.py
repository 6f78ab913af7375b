"""The frame that every component stands on: messages, calls, steps, state, identity, upstreams.

Components import what they need from the module that owns it (`chassis.message`, `chassis.rpc`
and so on). The chassis knows errors and nothing of components, so every layer above may use it.
"""
