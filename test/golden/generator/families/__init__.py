"""Every family: its tiny configuration with the published rotary geometry, its prompt form and its cases."""

from .canvas import CANVAS_FAMILIES
from .glm import GLM_FAMILIES
from .omni import OMNI_FAMILIES
from .others import OTHER_FAMILIES
from .qwen import QWEN_FAMILIES
from .text import TEXT_FAMILIES

# Functions that build a family, named like it.
FAMILIES = [*QWEN_FAMILIES, *OMNI_FAMILIES, *GLM_FAMILIES, *OTHER_FAMILIES, *CANVAS_FAMILIES, *TEXT_FAMILIES]
