"""Heroicons' template tags, each icon drawn once: a page of fifty rows has more than a hundred of a few kinds."""

from __future__ import annotations

from functools import lru_cache

from django import template
from heroicons.templatetags.heroicons import (
    heroicon_micro,
    heroicon_mini,
    heroicon_outline,
    heroicon_solid,
)

register = template.Library()

for _tag in (heroicon_micro, heroicon_mini, heroicon_outline, heroicon_solid):
    register.simple_tag(lru_cache(maxsize=512)(_tag), name=_tag.__name__)
