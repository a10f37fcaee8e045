def restore(converted):
    return ""
