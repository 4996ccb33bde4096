"""Features on the page of `lenrek explain`: what the layer computes of the sample, and what its strongest one sees."""

from __future__ import annotations

from lenrek.errors import ModelError, OptionError
from lenrek.explain.evidence.placement import default_layer
from lenrek.explain.features.field_on_sample import field_on_sample
from lenrek.explain.features.filters import filters
from lenrek.explain.features.maps import feature_maps
from lenrek.explain.page.question import Question, Sample, Section

WHO = "explain"
MOST_MAPS = 24


def features_section(question: Question, sample: Sample) -> Section | None:
    """The strongest maps of the layer, and the field of the strongest feature."""
    try:
        layer = question.layer or default_layer(question.network, sample.x, WHO)
        maps = feature_maps(question.network, sample.x, layer)
    except ModelError:  # nothing has a place in the input
        return None
    pictures = [maps.sheet(most=MOST_MAPS).to_html()]
    words: tuple[str, ...] = ()
    told = {"maps": maps.to_dict()}
    try:
        field = field_on_sample(question.network, sample.x, layer, int(maps.order[0]), shown=sample.stored)
    except OptionError:  # what it sees is not known
        pass
    else:
        sheet = field.sheet()
        pictures.append(sheet.to_html())
        words = (f"Below its maps: {sheet.title[0].lower()}{sheet.title[1:]}, where it is largest.",)
        told["field"] = field.to_dict()
    return Section("features", f"What {layer} computes", words, tuple(pictures), told)


def filters_section(question: Question) -> Section | None:
    """The filters of the first layer."""
    try:
        found = filters(question.network)
    except ModelError:  # no convolution
        return None
    sheet = found.sheet()
    return Section("filters", sheet.title, (), (sheet.to_html(),), found.to_dict())
