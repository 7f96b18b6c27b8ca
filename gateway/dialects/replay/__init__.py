"""An answer that was kept in one form, given in another: a stream folded into a whole reply, and the other way round.

A file for each dialect. Native on both sides, so that members nobody here has heard of survive where there is a place
for them. A stream that did not reach its end is never folded into something that looks complete: Unfoldable.
"""
