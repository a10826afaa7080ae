"""Turns what a shot asks for into one model's own input fields, and says what is wrong with it."""

from kiebatch.catalogue.inputs.build import Built as Built
from kiebatch.catalogue.inputs.build import build as build
from kiebatch.catalogue.inputs.builder import Builder as Builder
from kiebatch.catalogue.inputs.defaults import default_value as default_value
from kiebatch.catalogue.inputs.values import lengths as lengths
from kiebatch.catalogue.inputs.words import voice_id as voice_id
