/* SPDX-License-Identifier: MIT
 * shared.i - the flat layer of every language: all of <shared.h> as SWIG sees it. What a language does with
 * texts, handles and failures stands in its own file; what people use is a layer on top of this one.
 */
%module(package="shared") native
%{
#include <shared.h>
%}
%include <stdint.i>

#ifdef SWIGPYTHON
%include "python.i"
#else
%include "node.i"
#endif

/* shared_session_get -> session_get, SHARED_DOCUMENT -> DOCUMENT */
%rename("%(strip:[shared_])s", %$isfunction) "";
%rename("%(strip:[shared_])s", %$isclass) "";
%rename("%(strip:[SHARED_])s", %$isenumitem) "";
%rename("%(strip:[SHARED_])s", %$isconstant) "";

/* Handles: no struct is known outside, and none is made but by its own function. */
%nodefaultctor;
%nodefaultdtor;
typedef struct shared_config {} shared_config;
typedef struct shared_client {} shared_client;
typedef struct shared_session {} shared_session;
typedef struct shared_query {} shared_query;
typedef struct shared_record {} shared_record;
typedef struct shared_task {} shared_task;
typedef struct shared_message {} shared_message;
typedef struct shared_event {} shared_event;
typedef struct shared_error {} shared_error;
%extend shared_config { ~shared_config() { shared_config_free($self); } }
%extend shared_client { ~shared_client() { shared_client_free($self); } }
%extend shared_session { ~shared_session() { shared_session_free($self); } }
%extend shared_query { ~shared_query() { shared_query_free($self); } }
%extend shared_record { ~shared_record() { shared_record_unref($self); } }
%extend shared_message { ~shared_message() { shared_message_free($self); } }
%extend shared_task { ~shared_task() { shared_task_unref($self); } }
/* The garbage collector's business. */
%ignore shared_config_free;
%ignore shared_client_free;
%ignore shared_session_free;
%ignore shared_query_free;
%ignore shared_message_free;
%ignore shared_record_unref;
%ignore shared_task_unref;
%newobject shared_record_ref;
%newobject shared_task_ref;
%newobject shared_event_record;
%newobject shared_event_task;

#define SHARED_API
#define SHARED_BEGIN
#define SHARED_END
%include <shared/version.h>
%include <shared/error.h>
%include <shared/config.h>
%include <shared/client.h>
%include <shared/models.h>
%include <shared/event.h>
%include <shared/record.h>
%include <shared/query.h>
%include <shared/session.h>
%include <shared/progress.h>
%include <shared/queue.h>
%include <shared/log.h>
%include <shared/migrate.h>

#ifdef SWIGPYTHON
/* What a read or a commit calls: the function itself, without a frame of Python's around it. */
%pythoncode %{
for _name in ("drain", "handle_close", "objects_add", "objects_show", "objects_watch", "progress_publish",
              "query_bind_all", "query_new", "query_read_only", "session_commit", "session_get", "session_new",
              "session_query"):
    globals()[_name] = getattr(_native, _name)
%}
#endif
