"""Which inputs every feature of a traced network depends on, along one axis of the input at a time.

`span` is what is known of one volume, `form` its part that knows nothing of borders; `reading` says who reads whom
along an axis; the files named `rules_…` hold what each operator does; `memory` follows writing into views; `follow`
goes through a trace.
"""
