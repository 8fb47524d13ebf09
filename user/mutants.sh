#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Deliberate bugs in libhlk and hlk-run, one at a time: the test that is named has to
# find each. TAP.
#
#   mutants.sh [NUMBER...]     with O= as the folder to build in
#   mutants.sh --match         print those that change nothing, and build none
#
# A mutant is a file, what is wrong, the program and the check that fails, and a sed
# expression. Where the check is -, a sanitizer ends the program, or it does not come
# to its end, or it has one check for all. A line that no longer matches is a failure:
# the list follows the code.
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${O:-$here/../build/user}/mutants

files=() whats=() tests=() edits=()
mutant() { # mutant FILE WHAT 'PROGRAM: CHECK' SED-E
	files+=("$1") whats+=("$2") tests+=("$3") edits+=("$4")
}

# batches
mutant libhlk/batch.c 'a call that is cancelled can be kicked for ever' \
	'asan/test-batch: nor after one that was not made' \
	'/^static void cancel/,/^}/{/if \(e->cmd == HLK_RUN\)/d;/hlk_timeout_end/d}'
mutant libhlk/batch.c 'what the kernel did not take is waited for' \
	'asan/test-batch: -' \
	's/left = io_uring_sq_ready\(&batch->ring\);/;/'
mutant libhlk/fused.c "a call's time begins anew at each exit of its guest" \
	'asan/test-batch: the time of a call goes on while a host function runs' \
	'/^int hlk_fused_finish/,/^}/s/arg->timeout_ns = 0;/;/'

# buffers
mutant libhlk/buffer.c 'an element begins in the word that says where' \
	'asan/test-buffer: -' \
	's/start > sp - WORD\)/start > sp)/'
mutant libhlk/buffer.c 'room for less than a word is room without end' \
	'asan/test-buffer: nothing more then' \
	's/if \(left < WORD\)/if (0)/'
mutant libhlk/buffer.c 'a start word is read again after its check' \
	'asan/test-buffer: a start that changes after it was checked was read before' \
	's/\*len = sp - WORD - start;/*len = sp - WORD - read_word(buf, sp - WORD);/'

# the agent of a Linux guest
mutant libhlk/agent.c 'a run of pages may lie outside the memory' \
	'asan/test-linux: a run outside' \
	's/!hlk_vm_at\(sb, run->gpa, run->pages \* PAGE\)/0/'
mutant libhlk/fused.c 'more pieces of an input than the module takes' \
	'asan/test-linux: -' \
	's/< HLK_MAX_INPUTS;/< 1000;/'
mutant libhlk/fused.c 'a fused call of a machine has no program' \
	'asan/test-linux: with the program, and nothing of registers' \
	's/fused->arg.program = .*/;/'
mutant libhlk/agent.c 'a guest is good although its restore failed' \
	'asan/test-linux: a restore that fails wants another one' \
	's/sb->state = HLK_STATE_BROKEN;/;/'

# queues
mutant libhlk/calls.c 'a call that fails ends those behind it' \
	'asan/test-calls: the others are well' \
	's/calls\[q\.done - 1\]\.ret == -EINTR/calls[q.done - 1].ret/'
mutant libhlk/calls.c 'a kick is for one of them' \
	'asan/test-calls: a kick ends the call that is under way, and all behind it' \
	's/ \|\| \(q\.done && calls\[q\.done - 1\]\.ret == -EINTR\)//'
mutant libhlk/calls.c 'KVM failed, and others are made all the same' \
	'asan/test-calls: KVM fails: no other is made' \
	's/sb->doubtful \|\| //'
mutant libhlk/calls.c 'why one failed is why the next did' \
	'asan/test-calls: the others are well' \
	'/^static void over/,/^}/s/hlk_err_clear\(err\);/;/'
mutant libhlk/calls.c 'they have the timeout of the first' \
	'asan/test-calls: another time is another system call' \
	's/ && call\[nr\]\.timeout_us == call->timeout_us//'
mutant libhlk/calls.c 'once it asked for something a call has no end' \
	'asan/test-calls: its time goes on when it asks for something' \
	's/arg->deadline_ns = arg->call_deadline_ns;/;/'
mutant libhlk/calls.c 'pages that a call gave back are not forgotten' \
	'asan/test-calls: what restores before the last one gave back is forgotten' \
	'/^static void finish/,/^}/s/hlk_forget_pages\(sb\);/;/'
mutant libhlk/calls.c 'an answer has more room than there is' \
	'asan/test-calls: long ones between short ones' \
	's/return out_size < most - around \?.*/return around + out_size;/'
mutant libhlk/calls.c 'a page that the budget does not give is the end of the sandbox' \
	'asan/test-calls: answers that the module cannot copy' \
	's/ret == -EDQUOT \? 0 : ret/ret == 1 ? 0 : ret/'
mutant libhlk/calls.c 'an answer that is none is that of the last call' \
	'asan/test-calls: are none of those behind them' \
	's/ret == -EPROTO && !last/0/'
mutant libhlk/calls.c 'a call that is made again has no input' \
	'asan/test-calls: guests that change debug registers' \
	's/^\targ->nr_inputs\+\+;/;/'
mutant libhlk/calls.c 'flags of a call are not looked at' \
	'asan/test-calls: or of one of them: none is made' \
	's/bad \|= calls\[i\]\.flags;/;/'
mutant libhlk/counter.c 'who begins to count is not seen until the end of the system call' \
	'asan/test-calls: or in another thread' \
	's/^\tif \(first\)/\tif (0)/'
mutant libhlk/timeout.c 'a queue that is over can be kicked' \
	'asan/test-calls: and none that follows' \
	'/^void hlk_timeout_queue_end/,/^}/s/sb->can_kick = false;/;/'
mutant libhlk/poolcalls.c 'who makes many calls keeps the sandbox from others' \
	'asan/test-calls: and has his turn' \
	's/return count_calls\(pool, \*nr, failures\) \|\|/return (count_calls(pool, *nr, failures), false) ||/'

# what is noted of a guest
mutant libhlk/fused.c 'pages that a fused call gave back are not forgotten' \
	'asan/test-held: pages are forgotten when a fused call gave some back' \
	's/if \(arg->freed\)/if (0)/'
mutant libhlk/restore.c 'pages that a second restore gave back are not forgotten' \
	'asan/test-held: when a restore did, and when the next one did' \
	's/if \(sb->restored\.freed\)/if (0)/'
mutant libhlk/restore.c 'the FPU is not read again at a switch' \
	'asan/test-held: the FPU is read again from another snapshot' \
	'/^static int after_switch/,/^}/s/ret = hlk_get_fpu\(sb\);/ret = 0;/'
mutant libhlk/restore.c 'the snapshot that is left at a switch is kept for ever' \
	'asan/test-held: -' \
	's/^\t\thlk_snapshot_close\(old\);/\t\t(void)old;/'
mutant libhlk/fused.c 'a fused call leaves what was in the buffers before it' \
	'asan/test-held: nor in a fused call' \
	'/^void hlk_fused_restored/,/^}/s/sb->stale = true;/;/'
mutant libhlk/exit.c 'after one EDQUOT each fault is the budget' \
	'asan/test-held: and then something else, which is not told as the budget' \
	'/^int hlk_exit_fault/,/^}/s/sb->over_budget = stats\.over_budget;/;/'
mutant libhlk/audit.c 'a guest that an audit found wrong is called' \
	'asan/test-held: that guest is not called' \
	'/^static int audit\(/,/^}/s/sb->state = HLK_STATE_BROKEN;/;/'
mutant libhlk/counter.c 'what could not be counted is counted' \
	'asan/test-held: to count while the page is gone is an error' \
	's/__atomic_store_n\(&sb->counter, before, __ATOMIC_SEQ_CST\);/(void)before;/'

# the host's side
mutant libhlk/hostcall.c 'an argument is longer than what came by the length of the name' \
	'asan/test-held: name and argument of a host call are in what came' \
	's/head\.arg_len > len - head\.name_len\)/head.arg_len > len)/'
mutant libhlk/hostcall.c 'a function of the set-up that somebody removed does not come back' \
	'asan/test-pool: with that of the set-up' \
	's/\(\*at\)->removed = false;/;/'
mutant libhlk/inspect.c 'the page in which an access ends is not made sure of' \
	'asan/test-held: -' \
	's/\(gpa % PAGE \+ len \+ PAGE - 1\)/(len + PAGE - 1)/'
mutant libhlk/vm.c 'the end of a range wraps' \
	'asan/test-held: and none that is not all memory' \
	's/gpa >= ram->gpa && bytes <= ram->bytes &&/gpa >= ram->gpa \&\&/;s/gpa - ram->gpa <= ram->bytes - bytes\)/gpa + bytes <= ram->gpa + ram->bytes)/'

# pools
mutant libhlk/pool.c 'a sandbox whose KVM failed goes to the next one' \
	'asan/test-pool: one whose KVM failed is made anew' \
	's/slot->discard \|\| slot->sb->doubtful/slot->discard/'
mutant libhlk/pool.c 'what the set-up counted is lost' \
	'asan/test-pool: and with what the set-up counted' \
	's/slot->counter = hlk_sandbox_counter\(sb\);/;/'
mutant libhlk/pool.c 'who would only have to wait is told of a sandbox that cannot be made' \
	'asan/test-pool: one cannot be made, and one is taken' \
	's/return pool->make_err\.code && count\(&pool->missing\) == pool->nr;/return pool->make_err.code;/'
mutant libhlk/pool.c 'a thread has its sandboxes by turns' \
	'asan/test-pool: of two the one that he gave back last' \
	's/return own \? slot->turn > than->turn :/return own ? false :/'

# snapshots in files
mutant libhlk/json.c 'an escape at the end of a text is read on behind it' \
	'asan/test-index: -' \
	'/^static bool skip_escape/,/^}/s/if \(c < 0\)/if (0)/'
mutant libhlk/json.c 'of two members with one name the first one counts' \
	'asan/test-saved: a config without version' \
	's/return found == 1;/return found;/'
mutant libhlk/digest.c 'a digest may have capitals' \
	'asan/test-index: in small letters alone' \
	's/return !strcmp\(text, again\);/return !strcasecmp(text, again);/'
mutant libhlk/digest.c 'a tree of digests ends a level too early' \
	"asan/test-index: fs-verity's, of 16513 blocks" \
	's/add_digest\(verity, level \+ 1, &root\);/if (level < 1) add_digest(verity, level + 1, \&root);/'
mutant libhlk/index.c 'the size of a part wraps' \
	'asan/test-saved: a sum that overflows' \
	's/if \(bytes > size - at \|\| round_up\(bytes\) > size - at\)/if (at + round_up(bytes) > size)/'
mutant libhlk/index.c 'two extents may have the same pages' \
	'asan/test-saved: pages that two extents have' \
	's/ && extent\.page != pages\)/ \&\& extent.page > pages)/'
mutant libhlk/index.c 'there may be pages that no extent has' \
	'asan/test-saved: pages that no extent has' \
	's/if \(pages != index->head\.pages\)/if (pages > index->head.pages)/'
mutant libhlk/index.c 'more pages are saved than can be loaded' \
	'asan/test-index: more than 2^24 pages are not saved' \
	'/^int hlk_index_encode/,/^}/s/if \(head->pages > HLK_INDEX_MAX_PAGES\)/if (0)/'
mutant libhlk/index.c 'windows have a hot set together' \
	'asan/test-index: of each window as much as can be loaded' \
	's/^\t\t\tleft = HLK_INDEX_MAX_TOUCHED;/\t\t\tleft = at ? left : HLK_INDEX_MAX_TOUCHED;/'
mutant libhlk/index.c 'a hot set has more runs than can be loaded' \
	'asan/test-index: and as many runs' \
	's/ && kept < HLK_INDEX_MAX_RUNS;/;/'
mutant libhlk/save.c 'all of a hot set is saved' \
	'asan/test-saved: of a hot set as much is saved as can be loaded' \
	's/blob\.size = hlk_index_touched\(.*/blob.size = (/'
mutant libhlk/index.c 'a future version is taken for this one' \
	'asan/test-saved: a future version' \
	's/if \(head->version != HLK_INDEX_VERSION\)/if (0)/'
mutant libhlk/oci.c 'a FIFO is opened as a file' \
	'asan/test-saved: a blob that is a FIFO' \
	's/else if \(!S_ISREG\(st->st_mode\)\)/else if (0)/'
mutant libhlk/oci.c 'links are followed' \
	'asan/test-saved: a blob that is a device' \
	's/O_NOFOLLOW \| O_NONBLOCK/O_NONBLOCK/'
mutant libhlk/oci.c 'what is read is not compared with its digest' \
	'asan/test-saved: a flipped bit in an index' \
	's/if \(!hlk_digest_same\(&digest, &blob->digest\)\)/if (0)/'
mutant libhlk/fetch.c 'any parent will do' \
	'asan/test-saved: a wrong parent' \
	's/if \(at && !hlk_digest_same\(&index->head\.parent, &layer\[-1\]\.blob->digest\)\)/if (0)/'
mutant libhlk/pages.c 'pages are not compared with their digest' \
	'asan/test-saved: a flipped bit in pages' \
	's/if \(!hlk_digest_same\(&digest, &take->blob->digest\)\)/if (0)/'
mutant libhlk/pages.c 'a frame says itself how much it unpacks to' \
	'asan/test-saved: a frame of 2^32 bytes' \
	's/if \(take->table\[i\]\[1\] != chunk_bytes\(take, i\)\)/if (0)/'
mutant libhlk/pages.c 'pages are where they could be executed' \
	'asan/test-saved: a host where they must not be' \
	's/flags \| MFD_NOEXEC_SEAL/flags/'
mutant libhlk/pages.c 'a kernel before 6.3 can load nothing' \
	'asan/test-saved: a kernel whose memfds can be executed' \
	's/return fd < 0 && errno == EINVAL/return 0/'
mutant libhlk/features.c 'a processor that lacks a feature is good enough' \
	'asan/test-saved: a machine with AVX is refused where there is none' \
	's/if \(!lost\)/if (1)/'
mutant libhlk/save.c 'a page that is zero now is as the parent has it' \
	'asan/test-saved: a layer comes back' \
	's/if \(old \? !memcmp\(page, old, PAGE\) : zero\)/if (zero || (old \&\& !memcmp(page, old, PAGE)))/'
mutant libhlk/ociput.c 'index.json is written where it is' \
	'asan/test-killed: over another one' \
	's/^\tret = hlk_oci_temp\(oci, temp, &fd, err\);\n//;/^static int replace/,/^}/s/ret = hlk_oci_temp\(oci, temp, &fd, err\);/strcpy(temp, path), unlinkat(oci->dir, path, 0), fd = openat(oci->dir, path, O_RDWR | O_CREAT, 0666), ret = 0;/'
mutant libhlk/ociput.c 'names that cannot be read are written over' \
	'asan/test-saved: names that are there twice' \
	's/!hlk_json_member\(&before, "manifests", &all\)/(hlk_json_member(\&before, "manifests", \&all), all.text = "[", 0)/'
mutant libhlk/ociput.c 'what is no list of names is written over' \
	'asan/test-saved: names that are no list' \
	's/\*all\.text != .\[./0/'
mutant libhlk/ociput.c 'more names are written than are read' \
	'asan/test-saved: names of 4 MiB' \
	's/if \(size > HLK_OCI_LARGEST_JSON\)/if (0)/'
mutant libhlk/ociput.c "everybody may read a guest's memory" \
	"asan/test-saved: a new folder is its owner's" \
	's/mkdir\(name, 0700\)/mkdir(name, 0777)/'
mutant libhlk/ociput.c 'the name of a new folder is not brought to the disk' \
	'asan/test-killed: the name of a new folder is on the disk' \
	's/ret = sync_above\(oci, err\);/ret = 0;/'
mutant libhlk/ociput.c 'who cannot read the folder above cannot save' \
	'asan/test-killed: also where it cannot be read' \
	's/if \(fd < 0 && errno == EACCES\)/if (0)/'
mutant libhlk/ociput.c 'what others left when they were killed stays' \
	'asan/test-killed: -' \
	's/if \(is_temp\(entry->d_name\)\)/if (0)/'
mutant libhlk/ociput.c 'a file that could not be closed is good' \
	'asan/test-killed: over another one' \
	's/if \(close\(fd\) && !ret\)/close(fd); if (0)/'

# timeouts
mutant libhlk/timeout.c 'immediate_exit stays after a kick' \
	'asan/test-fused: a kick that comes too late leaves nothing behind' \
	'/^void hlk_timeout_end/,/^}/s/sb->run->immediate_exit = 0;/;/'
mutant libhlk/timeout.c 'a very long timeout is a short one' \
	'asan/test-fused: one that is longer than can be said' \
	's/__builtin_mul_overflow\(timeout_us, 1000, &arg->timeout_ns\)/!(arg->timeout_ns = timeout_us * 1000)/'
mutant libhlk/timeout.c 'a kick and the end of a call are not under the lock' \
	'tsan/test-batch: -' \
	'/^void hlk_timeout_end/,/^}/s/pthread_mutex_(un)?lock\(&sb->lock\);/;/'

# files, processes, texts
mutant libhlk/snapshot.c 'what is no snapshot is closed twice' \
	'asan/test-inject: -' \
	's/^\treturn hlk_snap_new\(own, snap, err\);/if (!hlk_snap_new(own, snap, err)) return 0; close(own); return -EINVAL;/'
mutant libhlk/sandbox.c "a child unmaps what is its own" \
	'asan/test-held: a child cannot use a sandbox, but close it, and make its own' \
	'/^void hlk_sandbox_free/,/^}/s/sb->nr_windows = 0;/;/'
mutant libhlk/text.c 'the last of the isolates passes' \
	'asan/test-text: -' \
	's/c > 0x2069/c > 0x2068/'
mutant libhlk/elf.c 'the sum of offset and size of a segment wraps' \
	'asan/test-kernel: -' \
	'/^static int check_file/,/^}/{/phdr->p_offset > reader->size/s/phdr->p_offset > reader->size \|\|/0 ||/;s/phdr->p_filesz > reader->size - phdr->p_offset/phdr->p_offset + phdr->p_filesz > reader->size/}'
mutant libhlk/load.c 'what is put over something else is not noticed' \
	'asan/test-kernel: -' \
	's/^\tif \(other\)/\tif (0)/'

# machines
mutant libhlk/outside.c 'a line that is up is raised again' \
	'asan/test-machine: it comes back, with its line' \
	's/if \(!\(machine->lines & bit\) == !level\)/if (0)/'
mutant libhlk/outside.c 'lines stay as they are at a restore' \
	'asan/test-machine: it comes back, with its line' \
	's/!ret && i < HLK_MACHINE_IRQS/!ret \&\& i < 0/'
mutant libhlk/tail.c 'a device has more in a program than there is' \
	'asan/test-machine: more than there is' \
	's/if \(bytes - sizeof\(\*tail\) < size\)/if (0)/'
mutant libhlk/carry.c 'an MSR that is not here is dropped with what is in it' \
	'asan/test-carry: one that is not here and has something in it' \
	's/if \(entry->data \|\| here\)/if (here)/'
mutant libhlk/carry.c 'an MSR that is not here stays if it is all that is to go' \
	'asan/test-carry: one that is not here goes' \
	'/^static int keep/,/^}/s/carrying->changed = true;/;/'
mutant libhlk/carry.c 'what is in an MSR that is here is not asked for' \
	'asan/test-carry: so is one that is here' \
	's/if \(msrs->takes\(/if (here || msrs->takes(/'
mutant libhlk/carry.c 'a program that libhlk would not write is loaded as it is' \
	'asan/test-carry: arguments in another order' \
	's/return hlk_err_text\(err, EINVAL, HLK_WHAT_SAVED, op,/return 0 * hlk_err_text(err, EINVAL, HLK_WHAT_SAVED, op,/'
mutant libhlk/carry.c 'MSRs of a processor may be set now and then' \
	'asan/test-carry: or with the first restore alone' \
	's/ \|\| entry->flags \|\|/ ||/'
mutant libhlk/carry.c 'two calls may set the MSRs of a processor' \
	'asan/test-carry: those of one twice' \
	's/carrying->sets & 1U << entry->target\)/0)/'
mutant libhlk/fetch.c 'a program of another kernel is loaded as it is' \
	'asan/test-saved: it sets what there is here' \
	's/ret = carry_program\(loading\);/if (!loading) &/'
mutant libhlk/remake.c 'what ignore_msrs takes and forgets is lost' \
	'asan/test-saved: nor by a KVM that takes' \
	's/return here \|\| !data \|\|/return 1 || here || !data ||/'
mutant libhlk/carry.c 'an MSR that only this host has is left out' \
	'asan/test-carry: MSRs that are not here go' \
	's/if \(hlk_msr_in\(from, nr_from, msrs->entries\[i\]\.index\)\)/if (1)/'
mutant libhlk/go.c 'what was printed before it was asked to stop is forgotten' \
	'asan/test-machine: half of a text was printed before' \
	's/if \(!machine->was_asked \|\| run->flags/if (1 || run->flags/'
mutant libhlk/go.c 'the CMOS clock is always of now' \
	'asan/test-machine: or comes back: 86' \
	's/time\(NULL\) - machine->behind/time(NULL)/'

# hlk-run
mutant hlk-run/boot/console.c 'a signal leaves the terminal raw' \
	'asan/run-test-console: Terminated: the terminal is as it was' \
	'/^static void on_fatal/,/^}/s/set_back\(\);/;/'
mutant hlk-run/boot/console.c 'who is stopped leaves it raw' \
	'asan/run-test-console: while it is stopped the terminal is as it was' \
	'/^static void on_stop/,/^}/s/set_back\(\);/;/'
mutant hlk-run/serve.c 'an answer that only begins as expected' \
	"asan/run-test-commands: serve-bench: 'abc' where 'ab' is expected" \
	's/\(len == opt->expect_len && !memcmp\(answer, opt->expect, len\)\)/!memcmp(answer, opt->expect, opt->expect_len)/'
mutant hlk-run/serve.c 'answers of a queue are not looked at' \
	"asan/run-test-commands: serve-bench: in a queue of three, 'ab'" \
	's/for \(call = caller->queue; call < caller->queue \+ nr && !ret; call\+\+\)/call = caller->queue; if (0)/'
mutant hlk-run/loop.c 'a call that timed out has the answer of the one before' \
	'asan/run-test-commands: run: calls that time out, and others go on' \
	's/ret \|\| timeouts != loop->timeouts \|\| !loop->opt->call/ret || !loop->opt->call/'
mutant hlk-run/fail.c 'a guest that uses up its budget is the fault of the host' \
	'asan/run-test-commands: run: a guest that uses up its budget' \
	'/case HLK_WHAT_BUDGET:/d'
mutant hlk-run/json.c 'a mark has less room than it takes' \
	'asan/run-test-json: -' \
	's/malloc\(len \* 3 \+/malloc(len +/'
mutant hlk-run/samples.c 'a percentile of few samples is before the first one' \
	'asan/run-test-samples: -' \
	's/ \+ SAMPLES_ALL - 1\) \/ SAMPLES_ALL/) \/ SAMPLES_ALL/'

# gdb's protocol
mutant hlk-run/debug/packet.c 'a packet that is too long goes on behind its buffer' \
	'asan/run-test-gdb: -' \
	's/if \(gdb->len == GDB_PACKET\)/if (0)/'
mutant hlk-run/debug/packet.c 'a number of 17 digits is one of the last 16' \
	'asan/run-test-gdb: m10000000000001000,4: ' \
	's/if \(nr\+\+ == 16\)/if (nr++ == 32)/'
mutant hlk-run/debug/gdb.c 'who was told to step is told to go on' \
	'asan/run-test-gdb: vCont;s:2;c' \
	's/told\[i\] = true;/;/'
mutant hlk-run/debug/gdb.c 'a register that is fixed is written' \
	'asan/run-test-gdb: Pa=01000000: ' \
	's/ret = reg->fixed \? EPERM : get_regs/ret = get_regs/'
mutant hlk-run/debug/gdb.c 'an interrupt that came at once is lost' \
	'asan/run-test-gdb: an interrupt at once' \
	's/interrupt \|= gdb->input/interrupt \&= gdb->input/'
mutant hlk-run/debug/packet.c 'a packet of a wrong sum is believed' \
	'asan/run-test-gdb: a wrong sum: ' \
	's/return gdb->no_ack \|\| \(high/return true || (high/'
mutant hlk-run/debug/gdb.c 'more is written than came' \
	'asan/run-test-gdb: -' \
	's/good = \(size_t\)\(text->end - text->at\) == len;/good = true;/'
mutant hlk-run/debug/points.c 'INT3 is what was there before' \
	'asan/run-test-points: two in one byte are not seen' \
	's/if \(twin && soft->byte == INT3\)/if (0)/;s/else if \(twin\)/if (twin)/'
mutant hlk-run/debug/points.c 'who goes takes the other one with it' \
	'asan/run-test-points: the first one goes, and the other one stays' \
	's/if \(!find_twin\(points, soft\) &&/if (/'
mutant hlk-run/debug/points.c 'of two, one puts back what was there before a write' \
	'asan/run-test-points: two in one byte are not seen, one later than a write' \
	's/twin->byte = soft->byte;/;/'
mutant hlk-run/debug/points.c 'what the guest wrote over it is not seen' \
	'asan/run-test-points: what the guest wrote over it is seen' \
	's/ && buf\[soft->gpa - gpa\] == INT3\)/)/'
mutant hlk-run/debug/points.c 'a breakpoint that is gone is an exception of the guest' \
	'asan/run-test-points: at one that is gone meanwhile, and it goes on' \
	's/if \(i == len \|\| code\[i\] == INT3\)/if (true)/'
mutant hlk-run/debug/points.c 'a step that is over is an exception of the guest' \
	'asan/run-test-points: late after a step, told when it runs again' \
	's/if \(late && is_past\(points, cpu, dr6\)\)/if (0)/'
mutant hlk-run/debug/points.c 'who rests runs' \
	'asan/run-test-points: late after a step, told when it runs again' \
	's/if \(!points->rests\[cpu\]\)/if (true)/'
mutant hlk-run/debug/points.c 'whatever comes late is of the debugger' \
	"asan/run-test-points: a step of the guest's own is the guest's" \
	's/if \(late && is_past\(points, cpu, dr6\)\)/if (late)/'
mutant hlk-run/debug/ranges.c 'tables of tables are looked at without end' \
	'asan/run-test-ranges: tables without end come to one' \
	's/ \|\| ranges->steps\+\+ >= MAX_STEPS//'
mutant hlk-run/boot/options.c 'a folder is booted without the debugger that was asked for' \
	'asan/run-test-commands: boot: a folder and --gdb=x' \
	's/boot->loaded && \(boot->gdb \|\| /boot->loaded \&\& (/'
mutant hlk-run/boot/options.c 'a folder is booted without the core that was asked for' \
	'asan/run-test-commands: boot: a folder and --core=x' \
	's/\(boot->gdb \|\| boot->core \|\| /(boot->gdb || /'
mutant hlk-run/boot/options.c 'a machine beside gdb without a snapshot' \
	'asan/run-test-commands: boot: --beside without a snapshot' \
	's/boot->beside && \(!boot->gdb \|\| !boot->has_snapshot\)/boot->beside \&\& !boot->gdb/'
mutant libhlk/go.c 'where the debugger waits is an end' \
	"asan/test-machine: a debugger's stop, at rest" \
	's/reason != HLK_STOP_ASKED &&/reason != HLK_STOP_ASKED;/;s/^\t       reason != HLK_STOP_DEBUG;//'
mutant libhlk/go.c 'a stop for a debugger that is gone ends a run' \
	'asan/test-machine: a stop for a debugger that is gone is none' \
	's/if \(machine->late == HLK_STOP_DEBUG && !\(flags & HLK_MACHINE_DEBUG\)\)/if (0)/'
mutant libhlk/go.c 'a processor that rests ends the run of one alone' \
	'asan/test-machine: one that rests tells of its stop when it runs again' \
	's/    machine->late_cpu != one\)/    0)/'
mutant libhlk/outside.c 'who stops a machine stops its first processor' \
	'asan/test-machine: asked to stop' \
	'/^EXPORT void hlk_machine_stop/,/^}/s/\.head\.flags = HLK_KICK_ALL,//'
mutant libhlk/cpus.c 'who is alone does not run' \
	'asan/test-cpus: processor 1 alone: its thread is not there, and it can run' \
	'/^void hlk_cpus_alone/,/^}/s/cpu->run->immediate_exit = 0;/;/'
mutant libhlk/cpus.c 'a processor alone waits for a thread that is gone' \
	'asan/test-cpus: -' \
	's/while \(!cpu->parked && !cpu->gone\)/while (!cpu->parked)/'
mutant libhlk/cpus.c 'a thread takes its processor back at once' \
	'asan/test-cpus: -' \
	's/while \(machine->alone == cpu\)/while (0)/'
mutant libhlk/near.c 'what is learned again is there twice' \
	'asan/test-pool: distances: one that is learned again drives none out' \
	'/^void hlk_near_learn/,/^}/s/\t\t\tbreak;/\t\t\t;/'
mutant libhlk/near.c 'all distances are in one row' \
	'asan/test-pool: distances of neighbours' \
	's/return \(x >> 33\) % HLK_NEAR_SETS;/return 0 \& x;/'
mutant libhlk/internal.h 'when the debugger has looked anybody may call' \
	'asan/test-held: -' \
	's/sb->in_call, sb->at_debugger/sb->in_call, false/'

# what is different between two moments
mutant hlk-run/pt/diff.c 'behind the end of a cut list all went' \
	'asan/run-test-diff: nothing behind where a list was cut' \
	's/if \(!space->cut \|\| !space->nr\)/if (1)/'
mutant hlk-run/pt/diff.c 'a dirty page has other attributes' \
	'asan/run-test-diff: six changes' \
	's/ & ~\(uint64_t\)\(A \| D\) \? PT_ATTRIBUTES/ \? PT_ATTRIBUTES/'
mutant hlk-run/pt/diff.c 'a page in two places is compared twice' \
	'asan/run-test-diff: six changes' \
	's/c->next\[page\] = page \+ 1;/;/'
mutant hlk-run/pt/diff.c 'a table that was met elsewhere is the same one' \
	"asan/run-test-diff: another table's alias is different, others are not" \
	's/\(alias && is->map & HLK_MAP_ALIAS\)/0/'
mutant hlk-run/pt/diff.c 'a range is not cut where the later one ends' \
	'asan/run-test-diff: -' \
	's/pages = least\(pages, side_left\(is\)\);/;/'
mutant hlk-run/pt/diff.c 'two that do not follow each other are one change' \
	'asan/run-test-diff: random moments, as page by page' \
	's/last->page \+ last->pages != change->page/0/'

# traces
mutant hlk-run/trace.c "a name may look like the kernel's words" \
	'asan/run-test-trace: line 3' \
	's/while \(at && !isdigit\(\(unsigned char\)at\[-1\]\)\)/while (0)/'
mutant hlk-run/trace.c 'who lost events says nothing of it' \
	'asan/run-test-trace: line 7' \
	's/ == 2 && has != had\)/ == 3)/'
mutant hlk-run/trace.c 'what the kernel says moves the cursor' \
	'asan/run-test-trace: line 5' \
	's/print_safe\(to, event->text, strlen\(event->text\)\);/fputs(event->text, to);/'
mutant hlk-run/trace.c 'events that nobody asked for' \
	'asan/run-test-trace: and no others' \
	's/if \(kind == KINDS && strncmp\(name, "tracing_mark_write", end - name\)\)/if (0)/'
mutant hlk-run/trace.c 'an event takes as long as the one before' \
	'asan/run-test-trace: line 1' \
	's/trace->event\[i \+ 1\]\.us - trace->event\[i\]\.us/trace->event[i].us - trace->event[i - !!i].us/'

# files that guests read
mutant libhlk/files.c 'a file of the set-up stays away' \
	'asan/test-pool: files: the next one has it' \
	's/if \(!ret && set_up\)/if (0)/'
mutant libhlk/files.c 'a file that is taken away is still there' \
	'asan/test-pool: files: one takes it away' \
	'/^static void drop/,/^}/s/memset\(file, 0, sizeof\(\*file\)\);/;/'
mutant libhlk/files.c 'no file is mapped' \
	'asan/test-pool: files: no fork' \
	'/^bool hlk_files_any/,/^}/s/return true;/return false;/'

if [ "${1:-}" = --match ]; then
	for i in "${!files[@]}"; do
		! sed -E "${edits[$i]}" "$here/${files[$i]}" | cmp -s - "$here/${files[$i]}" ||
			echo "mutant $i, ${files[$i]}: ${whats[$i]}: changes nothing"
	done
	exit
fi

# Everything but what is changed is built once.
build() { # build PROGRAM
	make -s -C "$out/src/user" O="$out/o" WERROR= "$out/o/$1" >&2
}

# Did @check fail in what the program printed, which ended with @rc?
found() { # found CHECK RC
	if [ "$1" = - ]; then
		[ "$2" = 124 ] || grep -qE 'ERROR: |WARNING: ThreadSanitizer|runtime error: ' "$out/log" ||
			grep -q '^not ok' "$out/log"
	else
		sed -E 's/^not ok [0-9]+ /not ok /' "$out/log" | grep -qF "not ok $1"
	fi
}

judge() { # judge NUMBER
	local file=$out/src/user/${files[$1]} test=${tests[$1]} rc=0 start
	local program=${test%%: *} check=${test#*: }
	local what="${files[$1]}: ${whats[$1]}"

	sed -i -E "${edits[$1]}" "$file"
	if cmp -s "$here/${files[$1]}" "$file"; then
		echo "not ok $what: the expression matches nothing"
		return
	fi
	if ! build "$program" > "$out/log" 2>&1; then
		sed 's/^/# /' "$out/log"
		echo "not ok $what: does not build"
		return
	fi
	start=$(date +%s%N)
	timeout 60 "$out/o/$program" > "$out/log" 2>&1 || rc=$?
	if [ "$rc" = 0 ]; then
		echo "not ok $what: survived"
	elif found "$check" "$rc"; then
		echo "ok $what: caught by $test ($((($(date +%s%N) - start) / 1000000)) ms)"
	else
		grep -E '^not ok|ERROR: |runtime error: ' "$out/log" | sed 's/^/# /'
		echo "not ok $what: not caught by $test, but it ended with $rc"
	fi
}

mkdir -p "$out/src"
numbers=("$@")
[ $# -gt 0 ] || mapfile -t numbers < <(seq 0 $((${#files[@]} - 1)))
echo "TAP version 13"
echo "1..${#numbers[@]}"
# What is as it was keeps its time, and what was a mutant is newer than its object.
rsync -rpc --delete "$here" "$here/../uapi" "$here/../VERSION" "$out/src/"
for program in $(for i in "${numbers[@]}"; do echo "${tests[$i]%%: *}"; done | sort -u); do
	build "$program" 2> "$out/log" || { cat "$out/log"; exit 1; }
	"$out/o/$program" > "$out/log" 2>&1 ||
		{ echo "Bail out! $program fails without a mutant"; exit 1; }
done
nr=0 failed=0
for number in "${numbers[@]}"; do
	nr=$((nr + 1))
	result=$(judge "$number")
	sed -E "s/^(not ok|ok) /&$nr /" <<< "$result"
	[[ $'\n'$result = *$'\n'ok* ]] || failed=$((failed + 1))
	cp "$here/${files[$number]}" "$out/src/user/${files[$number]}"
done
[ "$failed" -eq 0 ]
