from tasks.admin.comments import CommentAdmin
from tasks.admin.labels import LabelAdmin
from tasks.admin.memberships import MembershipAdmin
from tasks.admin.projects import ProjectAdmin
from tasks.admin.tasks import TaskAdmin

__all__ = ["CommentAdmin", "LabelAdmin", "MembershipAdmin", "ProjectAdmin", "TaskAdmin"]
