from tasks.admin.tasks import TaskAdmin

__all__ = ["TaskAdmin"]
