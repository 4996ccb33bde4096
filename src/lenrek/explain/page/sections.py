"""The sections of the page, in their order. A new one is a function that returns a `Section`, and a line here."""

from __future__ import annotations

from lenrek.explain.evidence.section import evidence_section
from lenrek.explain.features.section import features_section, filters_section
from lenrek.explain.page.question import OfNetwork, OfSample

OF_SAMPLES: tuple[OfSample, ...] = (evidence_section, features_section)
OF_NETWORK: tuple[OfNetwork, ...] = (filters_section,)
